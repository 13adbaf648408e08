"""`relight-cli serve`: a warm process that answers HTTP requests with what the commands make."""
