"""The last few results of what takes long, for whoever asks the same again; safe from any thread."""

import threading
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Results by what they follow from; beyond `most` those that nobody has asked for longest go."""

    def __init__(self, most: int) -> None:
        """Start with none."""
        self._most = most
        self._results: dict[K, V] = {}
        self._lock = threading.Lock()

    def find(self, key: K) -> V | None:
        """What is here of it."""
        with self._lock:
            found = self._results.pop(key, None)
            if found is not None:
                self._results[key] = found
            return found

    def keep(self, key: K, result: V) -> V:
        """Keep a result, and give it back."""
        with self._lock:
            self._results.pop(key, None)
            self._results[key] = result
            while len(self._results) > self._most:
                del self._results[next(iter(self._results))]
        return result
