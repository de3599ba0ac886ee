"""The names of the MQTT topics: what is published where, and where commands are listened for.

{prefix}/status                     online or offline
{prefix}/model                      which model is in service, with which adapter
{prefix}/error                      why something was refused that names no camera of this process
{prefix}/{camera}/state             what the camera does, its budget and the event that goes on
{prefix}/{camera}/surprise          one message a segment
{prefix}/{camera}/event             the life of an event
{prefix}/{camera}/keyframe          a JPEG
{prefix}/{camera}/clip              a clip was written
{prefix}/{camera}/error             why a command was refused
{prefix}/{camera}/set/{command}     commands to a camera
{prefix}/event/{id}/feedback        was the event useful?
"""

from __future__ import annotations

from dataclasses import dataclass

COMMANDS = ("pause", "resume", "alerts_per_day", "snapshot")


@dataclass(frozen=True, slots=True)
class Topics:
    """All topics of one installation."""

    prefix: str

    @property
    def status(self) -> str:
        return f"{self.prefix}/status"

    @property
    def model(self) -> str:
        return f"{self.prefix}/model"

    def state(self, camera_id: str) -> str:
        return f"{self.prefix}/{camera_id}/state"

    def surprise(self, camera_id: str) -> str:
        return f"{self.prefix}/{camera_id}/surprise"

    def event(self, camera_id: str) -> str:
        return f"{self.prefix}/{camera_id}/event"

    def keyframe(self, camera_id: str) -> str:
        return f"{self.prefix}/{camera_id}/keyframe"

    def clip(self, camera_id: str) -> str:
        return f"{self.prefix}/{camera_id}/clip"

    def error(self, camera_id: str | None) -> str:
        """None: of nobody that is known here."""
        return f"{self.prefix}/error" if camera_id is None else f"{self.prefix}/{camera_id}/error"

    def command(self, camera_id: str, name: str) -> str:
        return f"{self.prefix}/{camera_id}/set/{name}"

    def feedback(self, event_id: str) -> str:
        return f"{self.prefix}/event/{event_id}/feedback"

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Patterns for everything that is listened to."""
        return (self.command("+", "+"), self.feedback("+"))
