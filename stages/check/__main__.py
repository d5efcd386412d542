"""The check stage: `check.json`, what compiler 16 will do with the file, and `estimate.json`, how long it would run.

A stage of its own, and no part of convert, so that better knowledge of the chip makes no network convert again.
"""

from __future__ import annotations

from stages.contract import Step, number, run, write_json
from stages.edgetpu.estimate import estimate
from stages.edgetpu.gate import check


def main(step: Step) -> None:
    """Judge the step's file."""
    content = (step.inputs["tflite"] / "model.tflite").read_bytes()
    judged = check(content)
    write_json(step.out / "check.json", judged)
    numbers = [
        number("mapped_operators", judged["mapped"], "1", judged["operators"], runtime="edgetpu"),
        number("predicted_parameter_bytes", judged["parameters"]["bytes"], "B", runtime="edgetpu"),
    ]
    told = None
    if judged["compiles"]:
        usb, clock = int(step.parameters["usb"]), str(step.parameters["clock"])
        told = estimate(content, usb=usb, clock=clock)
        numbers += [
            _predicted("predicted_latency_ms", told["latency_ms"], "ms"),
            _predicted("predicted_energy_mj", told["energy_mj"], "mJ"),
        ]
        for text in judged["warnings"]:
            step.warning(text)
    else:
        step.warning("the Edge TPU compiler will refuse it: %s" % judged["reason"])
    write_json(step.out / "estimate.json", told)
    step.record(numbers, {"compiler": judged["compiler"]})


def _predicted(metric: str, told: dict[str, float], unit: str) -> dict[str, object]:
    return number(metric, told["value"], unit, interval=(told["low"], told["high"]), runtime="edgetpu")


if __name__ == "__main__":
    run(main)
