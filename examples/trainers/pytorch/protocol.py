"""The trainer's end of the protocol of docs/trainers.md, for trainers in Python.

A message is a line of JSON, then the bytes that it announces in "attached". Whoever has spoken waits for the other.
"""

import json
import os
import sys
import traceback

VERSION = 1


class Failure(Exception):
    """What the other side is told instead of an answer. `name` says whether it may be tried again."""

    def __init__(self, name, code, message):
        super().__init__(message)
        self.name, self.code = name, code


def invalid_input(code, message):
    return Failure("InvalidInputError", code, message)


class Channel:
    def __init__(self):
        # libraries print as they like: their words go to standard error, and the protocol keeps what was standard output
        self.out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self.input = sys.stdin.buffer

    def say(self, message, *attached):
        line = {**message, "attached": [len(part) for part in attached]}
        # NaN is no JSON: a number that is none fails here, and not at the other side
        self.out.write(json.dumps(line, allow_nan=False).encode() + b"\n")
        for part in attached:
            self.out.write(part)
        self.out.flush()

    def hear(self):
        """The next message and what is attached to it; None where the other side has gone."""
        line = self.input.readline()
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        return message, [self.input.read(length) for length in message.pop("attached", [])]

    def tell(self, event, *attached):
        """Tells an event. @returns "go" or "save"; raises where the other side says stop"""
        self.say(event, *attached)
        heard = self.hear()
        reply = heard[0]["do"] if heard else "stop"
        if reply == "stop":
            raise Failure("InvariantError", "ENGINE_CLOSED", "the trainer was told to stop")
        return reply


def serve(name, handlers):
    """Answers requests until there are no more. handlers: request → function of (channel, message, attached)."""
    channel = Channel()
    channel.say({"protocol": "fedmkt-trainer", "version": VERSION, "name": name})
    while (heard := channel.hear()) is not None:
        message, attached = heard
        request = message.pop("request")
        try:
            more, *files = handlers[request](channel, message, attached)
            channel.say({"answer": request, **more}, *files)
        except Failure as failure:
            said = {"name": failure.name, "code": failure.code, "message": str(failure)[:4000]}
            channel.say({"failure": said})
        except Exception as error:
            traceback.print_exc()
            said = {"name": "InvariantError", "code": "TRAINER_FAILED", "message": f"{type(error).__name__}: {error}"[:4000]}
            channel.say({"failure": said})
