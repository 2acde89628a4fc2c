-- Sessions and messages by the day on which the session began, of the last 30 days
select
  dt as day,
  count(*) as sessions,
  sum(message_count) as messages
from session_summaries
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
group by dt
order by dt
