"""Alerts: rules over the read model, a life for each alert, and delivery over MQTT that never loses one."""
