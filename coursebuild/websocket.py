"""The connection between browser and kernel, without waiting for acknowledgements."""

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Sends each message when it is written.

    Tornado leaves Nagle's algorithm on: a message that fills no packet is held until the one before it has been
    acknowledged, and a browser may take 40 ms for that. While a key is held every picture of a live figure comes behind such
    a message, the kernel's 'busy', and half of the pictures were lost.
    """

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()
