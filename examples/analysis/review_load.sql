-- One row per reviewer, repository and week (Monday, UTC): what they did in others' pull requests.
-- Streams: pull_requests, pull_request_activity, users.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.review_load as
with review as (
    select a.workspace,
           a.repository,
           a.repository_uuid,
           a.pull_request_id,
           a.kind,
           a.actor_uuid,
           date_trunc('week', a.occurred_on)::date as week,
           coalesce(
               a.comment -> 'user' ->> 'display_name',
               a.approval -> 'user' ->> 'display_name',
               a.changes_requested -> 'user' ->> 'display_name'
           ) as name
    from bitbucket.pull_request_activity a
    join bitbucket.pull_requests p
      on p.repository_uuid = a.repository_uuid and p.id = a.pull_request_id
    where a.kind in ('comment', 'approval', 'changes_requested')
      and a.actor_uuid is distinct from p.author ->> 'uuid'
      and a._sdc_deleted_at is null
      and p._sdc_deleted_at is null
)
select review.workspace,
       review.repository,
       review.week,
       coalesce(max(u.display_name), max(review.name), 'unknown') as reviewer,
       count(distinct review.pull_request_id) as pull_requests_reviewed,
       count(*) filter (where review.kind = 'approval') as approvals,
       count(*) filter (where review.kind = 'changes_requested') as changes_requested,
       count(*) filter (where review.kind = 'comment') as comments,
       review.repository_uuid,
       review.actor_uuid as reviewer_uuid
from review
left join bitbucket.users u on u.uuid = review.actor_uuid
group by review.workspace, review.repository, review.repository_uuid, review.week,
         review.actor_uuid;

comment on view bitbucket_views.review_load is
    'One row per reviewer, repository and week: reviews of other people''s pull requests.';
