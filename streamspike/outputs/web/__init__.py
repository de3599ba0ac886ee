"""The page: what the cameras see, live, with every event and its reasons; and the API behind it."""
