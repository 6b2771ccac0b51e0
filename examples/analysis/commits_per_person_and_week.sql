-- One row per person, repository and week (Monday, UTC) with commits in it.
-- Streams: commits, users.
create schema if not exists bitbucket_views;

create or replace view bitbucket_views.commits_per_person_and_week as
with authored as (
    -- An author who has no account at Bitbucket is the address in `Name <address>`.
    select c.workspace,
           c.repository,
           c.repository_uuid,
           date_trunc('week', c.date)::date as week,
           c.date,
           cardinality(c.parents) > 1 as is_merge,
           c.author -> 'user' ->> 'uuid' as person_uuid,
           lower(substring(c.author ->> 'raw' from '<([^<>]*)>')) as mail,
           coalesce(
               u.display_name,
               c.author -> 'user' ->> 'display_name',
               nullif(trim(split_part(c.author ->> 'raw', '<', 1)), ''),
               'unknown'
           ) as name
    from bitbucket.commits c
    left join bitbucket.users u on u.uuid = c.author -> 'user' ->> 'uuid'
    where c._sdc_deleted_at is null
)
select workspace,
       repository,
       week,
       max(name) as person,
       count(*) as commits,
       count(*) filter (where is_merge) as merge_commits,
       count(distinct date::date) as days_with_commits,
       min(date) as first_commit_at,
       max(date) as last_commit_at,
       repository_uuid,
       max(person_uuid) as person_uuid
from authored
group by workspace, repository, repository_uuid, week, coalesce(person_uuid, mail, name);

comment on view bitbucket_views.commits_per_person_and_week is
    'One row per person, repository and week with commits in it.';
