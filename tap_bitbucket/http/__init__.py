"""Reading over HTTP: requests and pages, the session, the rate budget and the error policy."""
