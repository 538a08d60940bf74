"""pyftpdlib with TLS, run by the system's Python: ftp_server.py PORT FOLDER PEM USER PASSWORD [plain]."""

import signal
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

port, folder, pem, user, password, *plain = sys.argv[1:]
authorizer = DummyAuthorizer()
authorizer.add_user(user, password, folder, perm="elradfmw")
handler = FTPHandler if plain else TLS_FTPHandler
handler.authorizer = authorizer
handler.auth_failed_timeout = 0  # it waits three seconds before it says no, else
if not plain:
    handler.certfile = pem
    handler.tls_control_required = True
    handler.tls_data_required = True

    class Data(TLS_DTPHandler, ThrottledDTPHandler):
        """Slow on demand, so that it can be interrupted: SIGUSR1 makes it so, SIGUSR2 ends it."""

    signal.signal(signal.SIGUSR1, lambda *_: setattr(Data, "read_limit", 10_000))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(Data, "read_limit", 0))
    handler.dtp_handler = Data
    handler.get_ssl_context().set_session_id(b"ftp")  # so that a data connection may resume the session
FTPServer(("127.0.0.1", int(port)), handler).serve_forever()
