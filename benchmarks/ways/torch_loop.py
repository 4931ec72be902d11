"""torch_loop.py IMAGES.npz EPOCHS OUT.json: LeNet in an eager PyTorch loop, written to be fast on a CPU."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch
from stopwatch import Stopwatch
from torch import nn
from torch.nn import functional

BATCH = 128


def load(file: str) -> tuple[torch.Tensor, ...]:
    """Images (n, height, width, channels) as float32 in 0–1 and labels; the last 10 % are held out."""
    with np.load(file) as arrays:
        x = torch.from_numpy(arrays["x_train"].astype("float32") / 255)
        y = torch.from_numpy(arrays["y_train"].astype("int64"))
    held = round(0.1 * len(x))
    return x[:-held], y[:-held], x[-held:], y[-held:]


def lenet(height: int, width: int, channels: int) -> nn.Module:
    flat = 50 * (height // 4) * (width // 4)
    first = nn.Conv2d(channels, 20, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
    second = nn.Conv2d(20, 50, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)
    model = nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(flat, 500), nn.ReLU(), nn.Linear(500, 10))
    return model.to(memory_format=torch.channels_last)


def batch_of(x: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Images are kept channels last, so that a permuted view of a batch is in that memory format."""
    return x.index_select(0, where).permute(0, 3, 1, 2)


def train(model: nn.Module, optimizer: Any, x: torch.Tensor, y: torch.Tensor) -> float:
    """One epoch; the mean loss."""
    model.train()
    total = torch.zeros(())
    for where in torch.randperm(len(x)).split(BATCH):
        loss = functional.cross_entropy(model(batch_of(x, where)), y.index_select(0, where))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(where)
    return float(total) / len(x)


@torch.inference_mode()
def validate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """Mean loss and error."""
    model.eval()
    batches = zip(x.permute(0, 3, 1, 2).split(BATCH), y.split(BATCH), strict=True)
    outputs = [(model(images), labels) for images, labels in batches]
    logits = torch.cat([output for output, _ in outputs])
    return float(functional.cross_entropy(logits, y)), float((logits.argmax(1) != y).float().mean())


def main(file: str, epochs: int, out: str) -> None:
    x, y, xv, yv = load(file)
    model, watch = lenet(*x.shape[1:]), Stopwatch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    for epoch in range(epochs):
        watch.begin()
        loss = train(model, optimizer, x, y)
        watch.trained()
        validation_loss, error = validate(model, xv, yv)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, validation loss {validation_loss:.4f}, error {error:.2%}")
        watch.end()
    watch.save(out, images=len(x), steps=-(-len(x) // BATCH), error=error, torch=torch.__version__)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
