"""`relight-cli studio`: a page in the browser in which a light is tried, and made at full size."""
