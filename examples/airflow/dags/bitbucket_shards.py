"""Bitbucket into PostgreSQL, divided among workers; README.md tells how to set it up."""

import os
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, task

PROJECT = os.environ.get("BITBUCKET_PROJECT", "/opt/bitbucket")  # the folder of meltano.yml
SHARDS = 2  # another number is another division: its first run reads everything again

ENVIRONMENT = {
    # Who asks; README.md has the lines for other kinds of credentials.
    "TAP_BITBUCKET_CLIENT_ID": "{{ conn.bitbucket.login }}",
    "TAP_BITBUCKET_CLIENT_SECRET": "{{ conn.bitbucket.password }}",
    # What all workers share: the tokens, what is left of the rate limit, and the states.
    "TAP_BITBUCKET_TOKEN_STORE": "{{ conn.bitbucket_state.password }}",
    "MELTANO_DATABASE_URI": "{{ conn.bitbucket_state.password }}",
    # Where the rows go.
    "TARGET_POSTGRES_HOST": "{{ conn.warehouse.host }}",
    "TARGET_POSTGRES_PORT": "{{ conn.warehouse.port or 5432 }}",
    "TARGET_POSTGRES_USER": "{{ conn.warehouse.login }}",
    "TARGET_POSTGRES_PASSWORD": "{{ conn.warehouse.password }}",
    "TARGET_POSTGRES_DATABASE": "{{ conn.warehouse.schema }}",
}

# Meltano writes the settings to a file while it runs: for nobody else to read.
MELTANO = "umask 077; exec .venv/bin/meltano"


def shard(number: int) -> dict[str, str]:
    """Return the environment of a shard; the state belongs to this division alone."""
    return {
        **ENVIRONMENT,
        "TAP_BITBUCKET_SHARD": f"{number}/{SHARDS}",
        "STATE_ID": f"bitbucket-{number}-of-{SHARDS}",
    }


with DAG(
    "bitbucket_shards",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # a second run would read the same again
    default_args={
        "cwd": PROJECT,
        "append_env": True,
        "do_xcom_push": False,  # the last line of the log is no result
        # Longer than `max_duration` in meltano.yml, with which a long first pass ends in order.
        "execution_timeout": timedelta(minutes=70),
        # What was loaded stays, and each try goes on from the last saved state. The first comes
        # after five minutes, Airflow's default: until then Meltano takes a run whose machine is
        # gone for one that still runs, and refuses a second one.
        "retries": 3,
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(hours=1),
    },
):
    # Meltano makes its tables when it first needs them, which two runs must not do at once.
    ready = BashOperator(task_id="ready", bash_command=f"{MELTANO} state list", env=ENVIRONMENT)

    shards = BashOperator.partial(
        task_id="shard",
        bash_command=f'{MELTANO} el tap-bitbucket target-postgres --state-id="$STATE_ID"',
        map_index_template="{{ task.env['TAP_BITBUCKET_SHARD'] }}",
        pool="bitbucket",  # as many slots as there are identities to ask with
    ).expand(env=[shard(number) for number in range(SHARDS)])

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def new_week(prev_start_date_success: datetime | None = None) -> bool:
        """Whether no run has ended well yet this week; the very first one counts as the last."""
        last, now = prev_start_date_success, datetime.now(timezone.utc)
        return bool(last) and last.isocalendar()[:2] != now.isocalendar()[:2]

    # A shard does not know what the others have seen, so it deletes nothing.
    deletions = BashOperator(
        task_id="deletions",
        bash_command=(
            f"{MELTANO} el tap-bitbucket-deletions target-postgres --state-id=bitbucket-deletions"
        ),
        env=ENVIRONMENT,
        pool="bitbucket",
    )

    loaded = EmptyOperator(
        task_id="loaded", outlets=[Asset("bitbucket")], trigger_rule="none_failed"
    )

    ready >> shards >> new_week() >> deletions >> loaded
