-- The 100 users with the most messages of the last 30 days' sessions
select
  user_hash,
  count(*) as sessions,
  sum(message_count) as messages,
  sum(user_messages) as user_messages
from session_summaries
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
group by user_hash
order by messages desc, user_hash
limit 100
