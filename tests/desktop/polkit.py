# SPDX-License-Identifier: LGPL-2.1-or-later
"""polkit as far as the broker asks it, so that a test can say when and how it answers."""
import threading

from jeepney import HeaderFields, new_method_return

from desktop import call, connect


class Polkit(threading.Thread):
    """The authority of polkit, as far as the broker asks it: holds each question until the test answers."""

    def __init__(self, system):
        super().__init__(daemon=True)
        self.questions, self.ended = [], False
        self.connection = connect(system.socket)
        call(self.connection, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName",
             "su", "org.freedesktop.PolicyKit1", 0)
        self.start()

    def run(self):
        while not self.ended:
            try:
                message = self.connection.receive(timeout=0.1)
            except TimeoutError:
                continue
            except (ConnectionError, OSError):
                return
            if message.header.fields.get(HeaderFields.member) == "CheckAuthorization":
                self.questions.append(message)

    def answer(self, authorized):
        """Answers the oldest question."""
        self.connection.send(new_method_return(self.questions.pop(0), "(bba{ss})", ((authorized, False, {}),)))

    def stop(self):
        self.ended = True
        self.join()
        self.connection.close()
