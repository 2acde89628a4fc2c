-- Sessions that got feedback, of the last 30 days: how much of it, and how much of that is satisfied, the least first
select
  s.session_id,
  s.user_hash,
  s.dt as day,
  s.message_count,
  s.cost_usd,
  count(*) as feedback,
  count_if(e.value > 0) as satisfied
from session_summaries s
join events e on e.user_hash = s.user_hash and e.session_id = s.session_id
where s.dt >= cast(cast(current_date - interval '30' day as date) as varchar)
  and e.dt >= cast(cast(current_date - interval '30' day as date) as varchar)
  and e.type = 'feedback'
  and e.created_at >= s.created_at
group by s.session_key, s.session_id, s.user_hash, s.dt, s.message_count, s.cost_usd
order by cast(count_if(e.value > 0) as double) / count(*), count(*) desc, s.session_key
