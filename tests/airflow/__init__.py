"""The example for Airflow, in a real Airflow."""
