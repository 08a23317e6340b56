"""supervisord: what keeps running without the server, and how orphans are ended."""
