-- Requests, failures and the worst day's latency by route, of the last 30 days
select
  route,
  sum(count) as requests,
  sum(case when status = '5xx' then count else 0 end) as failures,
  round(max(p95), 1) as worst_p95_ms,
  round(max(p99), 1) as worst_p99_ms
from aggregates
where dt >= cast(cast(current_date - interval '30' day as date) as varchar)
  and series = 'api.request'
group by route
order by requests desc, route
