"""aiomqtt's client with what it leaves out: reason codes of acknowledgements, the broker's limits, and a clean end.

aiomqtt 2.5 returns normally from a publish the broker refused, keeps the socket of a failed connect open, and registers file
descriptors in a later step than the one that had them. Each override here answers one of these.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Any

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from monitor.alerts.broker import BrokerFault, BrokerOptions
from monitor.alerts.topics import AVAILABILITY, Message

SESSION_TAKEN_OVER = 142
UNSPECIFIED = 128
BAD_CREDENTIALS = frozenset({134, 135, 140})  # bad user or password, not authorized, bad authentication method
UNSUPPORTED_VERSION = 132
NOT_AUTHORIZED = 135
RUN_PROPERTY = "run"  # user property of `availability`: tells one run of a service from another of the same name
# An alert right behind a liquidation print (QoS 0, so nothing comes back) would wait 40 ms for the broker's delayed TCP ack.
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
PACKET_OVERHEAD = 256  # fixed header, topic length, properties: more than any of ours take


# paho logs every lost connection on its own; the publisher names each change of state once.
_SILENT = logging.getLogger("monitor.alerts.paho")
_SILENT.setLevel(logging.CRITICAL + 1)


class Refusal(Exception):
    """A publish that was not taken. `connection_lost`: nothing more can be sent on this connection."""

    def __init__(self, fault: BrokerFault, text: str, connection_lost: bool = False) -> None:
        super().__init__(text)
        self.fault = fault
        self.connection_lost = connection_lost


class CheckedClient(aiomqtt.Client):
    """One connection, used once. `open`, then `send`, then `leave` (clean) or `abandon`."""

    def __init__(
        self,
        options: BrokerOptions,
        password: str | None,
        tls_context: Any,
        will: Message | None,
        run: str,
        identifier: str | None = None,
    ) -> None:
        """`run`: the mark of this run of the service, carried by its availability. `identifier`: None is the service's own."""
        super().__init__(
            options.host,
            options.port,
            username=options.username,
            password=password,
            identifier=identifier or options.client_id,
            protocol=aiomqtt.ProtocolVersion.V5,
            will=None
            if will is None
            else aiomqtt.Will(
                will.address.topic,
                will.body,
                qos=will.address.row.qos,
                retain=True,
                properties=_properties(will, PacketTypes.WILLMESSAGE, run),
            ),
            timeout=options.connect_timeout_seconds,
            keepalive=options.keepalive_seconds,
            clean_start=True,
            tls_context=tls_context,
            max_queued_incoming_messages=16,
            socket_options=[NO_DELAY],
            logger=_SILENT,
        )
        self._client.connect_timeout = options.connect_timeout_seconds  # also bounds the TLS handshake
        self._publish_timeout = options.publish_timeout_seconds
        self._acks: dict[int, asyncio.Future[ReasonCode]] = {}
        self._run = run
        self.maximum_packet: int | None = None
        self.retain_available = True
        self.maximum_qos = 2

    async def open(self) -> None:
        """Connect. Must not be cancelled half-way: the connecting thread would go on and its client would take over the next one.

        Raises:
            aiomqtt.MqttError: as aiomqtt says it.
        """
        await super().__aenter__()

    async def send(self, message: Message) -> None:
        """Publish and wait for the acknowledgement (QoS 1) or until the bytes left us (QoS 0).

        Raises:
            Refusal: refused, too large, not in time, or the connection is gone.
        """
        row = message.address.row
        topic = message.address.topic
        if self.maximum_packet is not None and len(message.body) + len(topic) + PACKET_OVERHEAD > self.maximum_packet:
            raise Refusal(
                BrokerFault.TOO_LARGE, f"{topic}: {len(message.body)} bytes, the broker takes {self.maximum_packet}"
            )
        if row.retained and not self.retain_available:
            raise Refusal(BrokerFault.UNSUPPORTED, "the broker takes no retained messages")
        if row.qos > self.maximum_qos:
            raise Refusal(BrokerFault.UNSUPPORTED, f"the broker takes only QoS {self.maximum_qos}")
        info = self._client.publish(
            topic, message.body, row.qos, row.retained, _properties(message, PacketTypes.PUBLISH, self._run)
        )
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise Refusal(BrokerFault.DISCONNECTED, paho.error_string(info.rc), connection_lost=True)
        if info.is_published():
            return
        acknowledged: asyncio.Future[ReasonCode] = self._loop.create_future()
        self._acks[info.mid] = acknowledged
        try:
            # Not wait_for: in Python 3.11 it swallows a cancellation that arrives together with the result.
            async with asyncio.timeout(self._publish_timeout):
                code = await acknowledged
        except TimeoutError:
            raise Refusal(
                BrokerFault.TIMEOUT, f"no acknowledgement in {self._publish_timeout:g} s", connection_lost=True
            ) from None
        finally:
            self._acks.pop(info.mid, None)
        if code.is_failure:
            fault = BrokerFault.NOT_AUTHORIZED if code.value == NOT_AUTHORIZED else BrokerFault.REFUSED
            raise Refusal(fault, f"{topic}: {code}")

    async def lost(self) -> aiomqtt.MqttError | OSError | None:
        """Return when the connection ends, with why."""
        await asyncio.wait((self._disconnected,))
        error = self._disconnected.exception()
        return error if isinstance(error, aiomqtt.MqttError | OSError) else None

    async def leave(self) -> None:
        """Say goodbye; the broker then publishes no will."""
        with contextlib.suppress(aiomqtt.MqttError, OSError):
            await super().__aexit__(None, None, None)
        self.abandon()

    def abandon(self) -> None:
        """Close the socket at once and take everything of ours out of the loop. The broker publishes the will."""
        for future in self._acks.values():
            future.cancel()
        self._acks.clear()
        self._client._reset_sockets()
        if self._misc_task is not None:
            self._misc_task.cancel()
        for future_state in (self._connected, self._disconnected):
            if future_state.done() and not future_state.cancelled():
                future_state.exception()  # looked at: asyncio has nothing to complain of
            else:
                future_state.cancel()

    # -- what aiomqtt leaves out
    def _on_connect(
        self, client: paho.Client, userdata: Any, flags: paho.ConnectFlags, reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:  # fmt: skip
        if properties is not None:
            self.maximum_packet = getattr(properties, "MaximumPacketSize", None)
            self.retain_available = bool(getattr(properties, "RetainAvailable", 1))
            self.maximum_qos = getattr(properties, "MaximumQoS", 2)
        if not self._connected.done():
            super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_publish(
        self, client: paho.Client, userdata: Any, mid: int, reason_code: ReasonCode, properties: Properties
    ) -> None:
        future = self._acks.get(mid)
        if future is not None and not future.done():
            future.set_result(reason_code)
        super()._on_publish(client, userdata, mid, reason_code, properties)

    def _on_disconnect(
        self, client: paho.Client, userdata: Any, flags: paho.DisconnectFlags, reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:  # fmt: skip
        super()._on_disconnect(client, userdata, flags, reason_code, properties)
        for future in self._acks.values():
            if not future.done():
                future.set_exception(Refusal(BrokerFault.DISCONNECTED, "the connection broke", connection_lost=True))

    def _on_socket_register_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        """aiomqtt hands the descriptor's number to a later step; by then it may be closed, or another socket's."""

        def write() -> None:
            try:
                client.loop_write()
            except Exception as error:
                if not self._disconnected.done():
                    self._disconnected.set_exception(error)

        def register() -> None:
            current = client.socket()
            if current is not None and current is sock and current.fileno() >= 0:
                self._loop.add_writer(current.fileno(), write)

        try:
            inside = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            inside = False
        if inside:
            register()
        else:
            self._loop.call_soon_threadsafe(register)

    def _on_socket_unregister_write(self, client: paho.Client, userdata: Any, sock: Any) -> None:
        if sock.fileno() >= 0:
            self._loop.remove_writer(sock.fileno())


def _properties(message: Message, packet: int, run: str) -> Properties:
    """Content type, UTF-8 payload, and the expiry that keeps a dead service from leaving false calm behind."""
    row = message.address.row
    properties = Properties(packet)  # type: ignore[no-untyped-call]
    properties.PayloadFormatIndicator = 1
    properties.ContentType = row.content_type
    if row is AVAILABILITY:
        properties.UserProperty = [(RUN_PROPERTY, run)]
    elif message.body:
        properties.UserProperty = [("schema", row.schema)]
    if row.expiry_seconds is not None:
        properties.MessageExpiryInterval = row.expiry_seconds
    return properties
