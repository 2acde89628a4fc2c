-- The 50 sessions with the most messages, of the last 30 days
select
  session_id,
  user_hash,
  dt as day,
  message_count,
  duration_seconds
from session_summaries
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
order by message_count desc, duration_seconds desc, session_key
limit 50
