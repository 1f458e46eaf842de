"""Lowering of correlations with exemplars."""

from __future__ import annotations

from binvision.errors import ExportError
from binvision.export.emitter import Emitter, pair
from binvision.export.graph import Exemplar, Value
from binvision.trackers.correlation_layers import ChannelCorrelation, PixelCorrelation

__all__ = ["channel_correlation", "pixel_correlation"]


def channel_correlation(
    emitter: Emitter, layer: ChannelCorrelation, search: Value, exemplar: Value
) -> Value:
    """Correlate channel by channel."""
    inputs, attrs = [search, _checked(exemplar)], {"stride": pair(layer.stride)}
    return emitter.emit("correlate_channels", inputs, search.channels, attrs)


def pixel_correlation(
    emitter: Emitter, layer: PixelCorrelation, search: Value, exemplar: Value
) -> Value:
    """Correlate each pixel with each."""
    inputs = [search, _checked(exemplar)]
    return emitter.emit("correlate_pixels", inputs, _checked(exemplar).pixels)


def _checked(exemplar: Value) -> Exemplar:
    if not isinstance(exemplar, Exemplar):
        raise ExportError("its exemplar is a layer's output; expected an input of the network")
    return exemplar
