-- Answers, tokens and cost in US dollars by model, of the last 30 days' sessions
select
  model,
  count(*) as answers,
  sum(input_tokens) as input_tokens,
  sum(output_tokens) as output_tokens,
  round(sum(cost_usd), 6) as cost_usd
from messages
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
  and model is not null
group by model
order by output_tokens desc, model
