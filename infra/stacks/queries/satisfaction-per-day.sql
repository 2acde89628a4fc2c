-- Feedback, the share of it that is satisfied, conversions and what they were worth, by day, of the last 30 days
select
  dt,
  count_if(type = 'feedback') as feedback,
  round(avg(case when type = 'feedback' then case when value > 0 then 1e0 else 0e0 end end), 3) as satisfied,
  count_if(type = 'conversion') as conversions,
  sum(case when type = 'conversion' then value end) as conversion_value
from events
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
group by dt
order by dt
