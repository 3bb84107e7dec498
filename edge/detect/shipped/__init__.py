"""Models that come with Tidegate: made by code here, exported to ONNX when the wheel is built."""
