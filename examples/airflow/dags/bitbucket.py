"""Bitbucket into PostgreSQL, by one task on one machine; README.md tells how to set it up."""

import os
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Asset

PROJECT = os.environ.get("BITBUCKET_PROJECT", "/opt/bitbucket")  # the folder of meltano.yml

ENVIRONMENT = {
    # Who asks; README.md has the lines for other kinds of credentials.
    "TAP_BITBUCKET_EMAIL": "{{ conn.bitbucket.login }}",
    "TAP_BITBUCKET_API_TOKEN": "{{ conn.bitbucket.password }}",
    # Where the rows go.
    "TARGET_POSTGRES_HOST": "{{ conn.warehouse.host }}",
    "TARGET_POSTGRES_PORT": "{{ conn.warehouse.port or 5432 }}",
    "TARGET_POSTGRES_USER": "{{ conn.warehouse.login }}",
    "TARGET_POSTGRES_PASSWORD": "{{ conn.warehouse.password }}",
    "TARGET_POSTGRES_DATABASE": "{{ conn.warehouse.schema }}",
}

with DAG(
    "bitbucket",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,  # a second run would read the same again
):
    BashOperator(
        task_id="sync",
        # Meltano writes the settings to a file while it runs: for nobody else to read.
        bash_command=(
            "umask 077; exec .venv/bin/meltano el tap-bitbucket target-postgres"
            " --state-id=bitbucket"
        ),
        cwd=PROJECT,
        env=ENVIRONMENT,
        append_env=True,
        do_xcom_push=False,  # the last line of the log is no result
        # Longer than `max_duration` in meltano.yml, with which a long first pass ends in order.
        execution_timeout=timedelta(minutes=70),
        # What was loaded stays, and each try goes on from the last saved state. The first comes
        # after five minutes, Airflow's default: until then Meltano takes a run whose machine is
        # gone for one that still runs, and refuses a second one.
        retries=3,
        retry_exponential_backoff=2,
        max_retry_delay=timedelta(hours=1),
        outlets=[Asset("bitbucket")],
    )
