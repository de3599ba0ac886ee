"""Where results go: store, MQTT, terminal."""
