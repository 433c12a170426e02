"""Runs functions written for Node as processes of this machine instead of containers."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections import deque
from pathlib import Path

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from fedmkt_localstack import step_functions

PROGRAM = Path(__file__).with_name("function-process.mjs")
START_SECONDS = 30
LOG_LINES = 1000

step_functions.correct()


class FunctionProcess(RuntimeExecutor):
    """One environment of a function: a Node process that serves one invocation after another."""

    def start(self, env_vars):
        self.variables = env_vars
        self.log = deque(maxlen=LOG_LINES)
        code = str(self.function_version.config.code.get_unzipped_code_location())
        ours, theirs = socket.socketpair()
        environment = {name: str(value) for name, value in env_vars.items()}
        environment |= {
            "PATH": os.environ["PATH"],
            "HOME": tempfile.gettempdir(),
            "LAMBDA_TASK_ROOT": code,
            "CHANNEL_FD": str(theirs.fileno()),
            "NODE_NO_WARNINGS": "1",
        }
        self.process = subprocess.Popen(
            ["node", str(PROGRAM)],
            cwd=code,
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        theirs.close()
        self.channel = ours
        self.answers = ours.makefile("r", encoding="utf-8")
        threading.Thread(target=self._keep_log, args=[self.process.stdout], daemon=True).start()
        loaded = self._next_answer(START_SECONDS)
        if not loaded["succeeded"]:
            raise StatusErrorException("the function did not load", payload=json.dumps(loaded["value"]).encode())

    def invoke(self, payload):
        if self.process.poll() is not None:
            self.start(self.variables)
        timeout = self.function_version.config.timeout
        request = {
            "id": payload["invoke-id"],
            "functionArn": payload["invoked-function-arn"],
            "payload": payload["payload"],
            "timeoutSeconds": timeout,
        }
        self.log.clear()
        try:
            self.channel.sendall(json.dumps(request).encode() + b"\n")
            answer = self._next_answer(timeout)
        except OSError:
            answer = self._ended()
        return InvocationResult(
            payload["invoke-id"],
            json.dumps(answer["value"]).encode(),
            is_error=not answer["succeeded"],
            logs=self.get_logs(),
        )

    def stop(self):
        self.channel.close()
        self.process.kill()
        self.process.wait(5)

    def get_logs(self):
        return "".join(self.log)

    def get_address(self):
        return "127.0.0.1"

    def get_endpoint_from_executor(self):
        return "localhost"

    def get_runtime_endpoint(self):
        return f"http://localhost:{config.GATEWAY_LISTEN[0].port}/unused"

    @classmethod
    def prepare_version(cls, function_version):
        if function_version.config.code:
            function_version.config.code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version):
        pass

    @classmethod
    def validate_environment(cls):
        return shutil.which("node") is not None

    def _next_answer(self, seconds):
        self.channel.settimeout(seconds)
        try:
            line = self.answers.readline()
        except TimeoutError:
            self.process.kill()
            message = f"Task timed out after {seconds:.2f} seconds"
            return {"succeeded": False, "value": {"errorType": "Sandbox.Timedout", "errorMessage": message}}
        return json.loads(line) if line else self._ended()

    def _ended(self):
        status = self.process.wait(5)
        message = f"Runtime exited with status {status}: {self.get_logs()[-2000:]}"
        return {"succeeded": False, "value": {"errorType": "Runtime.ExitError", "errorMessage": message}}

    def _keep_log(self, stream):
        for line in stream:
            self.log.append(line)


class FunctionProcessesPlugin(RuntimeExecutorPlugin):
    name = "processes"

    def load(self, *_, **__):
        return FunctionProcess
