"""The server: videos segmented for other programs over HTTP and WebSocket (docs/serve.md)."""
