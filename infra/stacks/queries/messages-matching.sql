-- Messages with a phrase in any case, newest first, of the last 30 days' sessions (the phrase is the parameter)
select
  created_at,
  session_id,
  user_hash,
  role,
  content
from messages
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
  and strpos(lower(content), lower(?)) > 0
order by created_at desc, session_id, message_id
limit 200
