import io
import struct

H, F = np.float16, np.float32
folder = SUITE / "run/half"


def stored(values, descr="<V2"):
    """The file of an array of bf16: the upper halves of float32."""
    out = io.BytesIO()
    np.save(out, (bf16(values).view(np.uint32) >> 16).astype(np.uint16).view("V2"))
    return out.getvalue().replace(b"'|V2'", f"'{descr}'".encode())


x = (np.arange(30).reshape(5, 6) * 37 % 19 / 7).astype(H)
np.save(folder / "files.in.x.npy", x)
b = bf16([0.1, -2.5, 1e30, 3, -1e-40, np.inf, 0.5])
(folder / "files.in.b.npy").write_bytes(stored(b))
(folder / "files.in.old.npy").write_bytes(stored([1.5, -0.25, 3.14], "|V2"))
print(x)
print("inf", "1e+30", "0.5")
np.save(folder / "files.want.y.npy", x / H(3))
c = bf16(b[::-1] * F(3))
(folder / "files.want.c.npy").write_bytes(stored(c))
head = """<?xml version="1.0"?>
<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">
  <ImageData WholeExtent="0 6 0 0 0 0" Origin="0 0 0" Spacing="1 1 1">
    <Piece Extent="0 6 0 0 0 0">
      <PointData Scalars="c">
        <DataArray type="Float32" Name="c" format="appended" offset="0"/>
      </PointData>
    </Piece>
  </ImageData>
  <AppendedData encoding="raw">
    _"""
(folder / "files.want.c.vti").write_bytes(
    head.encode() + struct.pack("<Q", 28) + c.tobytes() + b"\n  </AppendedData>\n</VTKFile>\n"
)
print("1.5", "-0.25", "3.14")
