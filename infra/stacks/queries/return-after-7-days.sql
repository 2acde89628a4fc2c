-- Of the users whose first session was on a day, how many began another 7 to 13 days later, of the last 90 days
with days as (
  select user_hash, cast(dt as date) as day
  from session_summaries
  where dt >= cast(cast(current_date - interval '90' day as date) as varchar)
  group by user_hash, dt
),
firsts as (
  select user_hash, min(day) as first_day
  from days
  group by user_hash
),
returns as (
  select f.user_hash, f.first_day, max(case when d.user_hash is null then 0 else 1 end) as returned
  from firsts f
  left join days d on d.user_hash = f.user_hash
    and d.day >= f.first_day + interval '7' day
    and d.day < f.first_day + interval '14' day
  group by f.user_hash, f.first_day
)
select
  first_day,
  count(*) as users,
  sum(returned) as returned,
  round(cast(sum(returned) as double) / count(*), 4) as return_rate
from returns
group by first_day
order by first_day
