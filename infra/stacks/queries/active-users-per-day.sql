-- Users who wrote something, by day, of the last 30 days, in sessions begun at most 60 days ago
select
  cast(created_at as date) as day,
  count(distinct user_hash) as active_users,
  count(*) as messages
from messages
where dt >= cast(cast(current_date - interval '60' day as date) as varchar)
  and created_at >= current_date - interval '30' day
  and role = 'user'
group by cast(created_at as date)
order by day
