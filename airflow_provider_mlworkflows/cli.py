"""The command ``mlworkflows``: an emulator of the cloud, and a demo of the provider on it."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from airflow_provider_mlworkflows import __version__

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8480
HIGHEST_PORT = 65535
INTERRUPTED = 130
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: what follows the command's name; the process's own if None.
    :returns: the exit status: 0 if all went well, 1 if not, 2 without a subcommand, 130 if a demo was interrupted.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.run is None:
        parser.print_help()
        return 2
    run: Callable[[argparse.Namespace], int] = options.run
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlworkflows", description=__doc__)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    emulator = commands.add_parser(
        "emulator",
        help="answer like the cloud, until interrupted",
        description="Run the emulator in the foreground. It prints one line once it answers, and ends at Ctrl-C.",
    )
    emulator.add_argument("--host", default=DEFAULT_HOST, help="address to listen on (default: %(default)s)")
    emulator.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, help="port to listen on, 0 for any free one (default: %(default)s)"
    )
    emulator.add_argument(
        "--speed", type=_speed, default=1.0, help="how many times as fast workflows run (default: %(default)s)"
    )
    emulator.add_argument(
        "--print-env",
        action="store_true",
        help="start nothing; print shell commands that point Airflow's default connections at the emulator",
    )
    emulator.set_defaults(run=_emulator)

    demo = commands.add_parser(
        "demo",
        help="run the example Dags on an emulator",
        description="Run the example Dags on an emulator, in a temporary Airflow that is removed afterwards.",
    )
    demo.add_argument("--ui", action="store_true", help="leave a whole Airflow running, with the Dags ready to start")
    demo.add_argument("--verbose", action="store_true", help="show what Airflow logs")
    demo.set_defaults(run=_demo)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and {HIGHEST_PORT}")
    return port


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return speed


def _emulator(options: argparse.Namespace) -> int:
    if options.print_env:
        return _print_env(options.host, options.port)
    with _stop_signals_interrupt():
        try:
            return _serve(options.host, options.port, options.speed)
        except KeyboardInterrupt:
            return 0


def _serve(host: str, port: int, speed: float) -> int:
    from airflow_provider_mlworkflows.emulator import Emulator

    emulator = Emulator(clock="real", speed=speed, host=host, port=port)
    try:
        emulator.start()
    except OSError as error:
        return _fail(f"cannot listen on {host} port {port}: {error.strerror}. Choose another with --host and --port.")
    try:
        print(f"listening on {emulator.url}", flush=True)
        while True:
            signal.pause()
    finally:
        emulator.stop()


def _print_env(host: str, port: int) -> int:
    from airflow_provider_mlworkflows.demo.environment import connection_variables

    if port == 0:
        return _fail("--print-env needs the port that the emulator listens on, not 0.", status=2)
    address = f"[{host}]" if ":" in host else host
    for name, value in connection_variables(f"http://{address}:{port}").items():
        print(f"export {name}={shlex.quote(value)}")
    return 0


def _demo(options: argparse.Namespace) -> int:
    from airflow_provider_mlworkflows.demo import headless, ui

    with _stop_signals_interrupt():
        try:
            return ui.serve(verbose=options.verbose) if options.ui else headless.run(verbose=options.verbose)
        except KeyboardInterrupt:
            print("interrupted; everything that was started has been ended", file=sys.stderr)
            return INTERRUPTED


def _fail(message: str, *, status: int = 1) -> int:
    print(f"mlworkflows: {message}", file=sys.stderr)
    return status


@contextlib.contextmanager
def _stop_signals_interrupt() -> Iterator[None]:
    """Let the first signal that asks for an end raise KeyboardInterrupt; later ones must not cut the clean-up short.

    SIGINT is among them because a shell has it ignored by what it starts in the background.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in _STOP_SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {each: signal.signal(each, interrupt) for each in _STOP_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


if __name__ == "__main__":
    sys.exit(main())
