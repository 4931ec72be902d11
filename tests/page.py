"""A page of `improve report`, taken apart."""

from html.parser import HTMLParser

import numpy as np

VOID = {"meta", "link", "img", "br", "hr", "wbr", "input", "path", "use"}
LOADS = ("src", "href", "xlink:href", "srcset", "data", "action", "formaction", "poster", "background")


class Page(HTMLParser):
    """Tags with their attributes, ids, the words of the page, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.open = [], [], []
        self.feed(text)
        assert self.open == [], self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert tag in VOID or self.open.pop() == tag, tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def predictions(wrong, n=60, classes=3):
    """(labels, probabilities): the first `wrong` answers are the next class, said with 0.9 and falling."""
    label = np.arange(n) % classes
    answer = np.where(np.arange(n) < wrong, (label + 1) % classes, label)
    sure = np.linspace(0.9, 0.8, n)
    probability = np.full((n, classes), 1.0) * ((1 - sure) / (classes - 1))[:, None]
    probability[np.arange(n), answer] = sure
    return label, probability.astype(np.float32)
