-- How long do pull requests wait for their first review, and until they are merged?
-- A review is a comment, an approval or a request for changes by anybody but the author.
with reviewed as (
    select a.repository_uuid, a.pull_request_id, min(a.occurred_on) as at
    from bitbucket.pull_request_activity a
    join bitbucket.pull_requests p
      on p.repository_uuid = a.repository_uuid and p.id = a.pull_request_id
    where a.kind in ('comment', 'approval', 'changes_requested')
      and a.actor_uuid is distinct from p.author ->> 'uuid'
    group by 1, 2
), merged as (
    select repository_uuid, pull_request_id, min(occurred_on) as at
    from bitbucket.pull_request_activity
    where kind = 'update' and "update" ->> 'state' = 'MERGED'
    group by 1, 2
)
select p.repository,
       count(*) as opened,
       count(merged.at) as merged,
       percentile_cont(0.5) within group (order by reviewed.at - p.created_on) as first_review,
       percentile_cont(0.5) within group (order by merged.at - p.created_on) as merge
from bitbucket.pull_requests p
left join reviewed
  on reviewed.repository_uuid = p.repository_uuid and reviewed.pull_request_id = p.id
left join merged
  on merged.repository_uuid = p.repository_uuid and merged.pull_request_id = p.id
group by p.repository
order by opened desc, p.repository
