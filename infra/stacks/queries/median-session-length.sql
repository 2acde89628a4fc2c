-- Median number of messages and median duration in seconds of a session, by day, of the last 30 days
with sessions as (
  select dt, message_count, coalesce(duration_seconds, 0) as duration_seconds, session_key
  from session_summaries
  where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
),
ranked as (
  select
    dt,
    message_count,
    duration_seconds,
    row_number() over (partition by dt order by message_count, session_key) as by_messages,
    row_number() over (partition by dt order by duration_seconds, session_key) as by_duration,
    count(*) over (partition by dt) as sessions
  from sessions
)
-- The middle one, or the two in the middle.
select
  dt as day,
  max(sessions) as sessions,
  avg(case when by_messages between sessions / 2.0 and sessions / 2.0 + 1 then cast(message_count as double) end) as median_messages,
  avg(case when by_duration between sessions / 2.0 and sessions / 2.0 + 1 then duration_seconds end) as median_seconds
from ranked
group by dt
order by dt
