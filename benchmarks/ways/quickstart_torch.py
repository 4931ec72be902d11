"""quickstart_torch.py DIGITS.npz: what configs/quickstart.yaml trains, as a person writes it with PyTorch."""

import sys

import numpy as np
import torch
from torch import nn

with np.load(sys.argv[1]) as arrays:
    x = torch.from_numpy(arrays["x_train"].astype("float32") / 255)
    y = torch.from_numpy(arrays["y_train"].astype("int64"))
order = torch.randperm(len(x))
train, validation, _ = order.tensor_split([round(0.15 * len(x)), round(0.8 * len(x))])
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for epoch in range(30):
    model.train()
    for batch in train[torch.randperm(len(train))].split(32):
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        error = float((model(x[validation]).argmax(1) != y[validation]).float().mean())
    print(f"epoch {epoch + 1}: loss {float(loss):.4f}, error {error:.2%}")
torch.save(model.state_dict(), "quickstart.pt")
