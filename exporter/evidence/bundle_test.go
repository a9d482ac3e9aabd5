package evidence

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestBundleIsDeterministic(t *testing.T) {
	key := testKey(t, ForExport, "a")
	for _, format := range []string{"json", "csv"} {
		f := freeze(t, key, "rptx_1", format, 3)
		data := f.bundle(t)
		if again := freeze(t, key, "rptx_1", format, 3).bundle(t); !bytes.Equal(data, again) {
			t.Errorf("%s: got two bundles of one export, want one", format)
		}
		c := f.contents()
		if size, err := c.Size(); err != nil || size != int64(len(data)) {
			t.Errorf("%s: got size %d, %v; want %d", format, size, err, len(data))
		}
	}
}

// A bundle of 1.0 must verify for ever, and its README.txt is made anew for
// that. If this fails, a wording changed without a new PredicateType.
func TestFormatIsFrozen(t *testing.T) {
	data := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3).bundle(t)
	const want = "acc3d03f48a6a68c7856f2a6e1707853021712e39a748e1e164f56242cb821c5"
	if got := fmt.Sprintf("%x", sha256.Sum256(data)); got != want {
		t.Errorf("got a bundle with SHA-256 %s, want %s", got, want)
	}
}

func TestBundleByArchiveZip(t *testing.T) {
	f := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3)
	data := f.bundle(t)
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	parts := f.parts(t)
	for i, file := range z.File {
		r, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		var want bytes.Buffer
		if err := parts[i].write(&want); err != nil {
			t.Fatal(err)
		}
		if err != nil || file.Name != parts[i].name || !bytes.Equal(got, want.Bytes()) {
			t.Errorf("member %d: got %s %q, %v; want %s %q", i, file.Name, got, err, parts[i].name, &want)
		}
		if date := file.Modified.Format("2006-01-02T15:04:05"); date != "1980-01-01T00:00:00" {
			t.Errorf("%s: got date %s, want 1980-01-01", file.Name, date)
		}
	}
}

func TestWriteBundleRefuses(t *testing.T) {
	failure := errors.New("the disk is gone")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		ctx    context.Context
		change func(f *frozen, c *Contents)
		want   error
	}{
		"longer artifact":  {t.Context(), func(f *frozen, c *Contents) { c.Artifact = bytes.NewReader(append(f.artifact, 'x')) }, nil},
		"shorter artifact": {t.Context(), func(f *frozen, c *Contents) { c.Artifact = bytes.NewReader(f.artifact[1:]) }, nil},
		"other artifact":   {t.Context(), func(f *frozen, c *Contents) { c.Artifact = bytes.NewReader(bytes.ToUpper(f.artifact)) }, nil},
		"artifact CRC":     {t.Context(), func(_ *frozen, c *Contents) { c.ArtifactCRC++ }, nil},
		"data CRC":         {t.Context(), func(_ *frozen, c *Contents) { c.DataCRC++ }, nil},
		"no data":          {t.Context(), func(_ *frozen, c *Contents) { c.Data = func(io.Writer) error { return nil } }, nil},
		"data fails":       {t.Context(), func(_ *frozen, c *Contents) { c.Data = func(io.Writer) error { return failure } }, failure},
		"cancelled":        {cancelled, func(*frozen, *Contents) {}, context.Canceled},
		"no manifest":      {t.Context(), func(_ *frozen, c *Contents) { c.Envelope = &Envelope{Signature: make([]byte, 64)} }, nil},
		"no proof":         {t.Context(), func(_ *frozen, c *Contents) { c.Proof = nil }, nil},
		"another's proof": {t.Context(), func(_ *frozen, c *Contents) {
			c.Proof = freeze(t, testKey(t, ForExport, "a"), "rptx_2", "csv", 3).proof
		}, nil},
		"no signature": {t.Context(), func(_ *frozen, c *Contents) { c.Envelope.Signature = nil }, nil},
	} {
		f := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3)
		c := f.contents()
		test.change(f, &c)
		var b bytes.Buffer
		err := WriteBundle(test.ctx, &b, c)
		if err == nil || !errors.Is(err, test.want) && test.want != nil {
			t.Errorf("%s: got %v, want an error (%v)", name, err, test.want)
		}
		if bytes.Contains(b.Bytes(), []byte("PK\x05\x06")) {
			t.Errorf("%s: got a complete zip, want it without its end", name)
		}
	}
}

// zeros is a file of 5 GiB and more: headers, and zeros where nothing is said.
type zeros struct {
	size   int64
	pieces map[int64][]byte // by offset
}

func (z *zeros) ReadAt(p []byte, offset int64) (n int, err error) {
	if left := z.size - offset; int64(len(p)) > left {
		p, err = p[:max(left, 0)], io.EOF
	}
	clear(p)
	for start, piece := range z.pieces {
		if from := offset - start; from >= 0 && from < int64(len(piece)) {
			copy(p, piece[from:])
		} else if to := start - offset; from < 0 && to < int64(len(p)) {
			copy(p[to:], piece)
		}
	}
	return len(p), err
}

// bigMembers is a bundle with an artifact beyond 4 GiB, so that README.txt
// starts beyond 4 GiB too, and data.json just at the limit.
func bigMembers() ([]member, *zeros) {
	members := []member{
		{ManifestName, 10, 0xe38a6876}, {SignatureName, 64, 0x758d6336}, {SigstoreName, 0, 0}, {ProofName, 0, 0}, {SumsName, 0, 0},
		{DataName, overflow32, 0}, {"artifact.csv", 5 << 30, 0}, {ReadmeName, 1, 0xd202ef8d},
	}
	file := &zeros{pieces: map[int64][]byte{}}
	for _, m := range members {
		file.pieces[file.size] = m.local()
		file.size += int64(len(m.local())) + m.size
	}
	file.pieces[file.size] = directory(members)
	file.size += int64(len(directory(members)))
	return members, file
}

func TestBeyond4GiB(t *testing.T) {
	members, file := bigMembers()
	if got := archiveSize(members); got != file.size {
		t.Fatalf("got size %d, want %d", got, file.size)
	}
	opened, err := openBundle(&source{ctx: t.Context(), file: io.NewSectionReader(file, 0, file.size)})
	if err != nil {
		t.Fatalf("open: got %v, want a bundle", err)
	}
	z, err := zip.NewReader(file, file.size)
	if err != nil {
		t.Fatalf("archive/zip: got %v, want a zip", err)
	}
	for i, m := range members {
		if opened.members[i] != m {
			t.Errorf("open: got %+v, want %+v", opened.members[i], m)
		}
		if got := z.File[i]; got.Name != m.name || got.UncompressedSize64 != uint64(m.size) || got.CompressedSize64 != uint64(m.size) {
			t.Errorf("archive/zip: got %+v, want %+v", got.FileHeader, m)
		}
	}
	for start, piece := range file.pieces {
		for i := range piece {
			piece[i] ^= 1
			if _, err := openBundle(&source{ctx: t.Context(), file: io.NewSectionReader(file, 0, file.size)}); err == nil {
				t.Errorf("headers at %d: got them accepted with byte %d flipped, want an error", start, i)
			}
			piece[i] ^= 1
		}
	}
}

// Other tools read the big one too; on disk it is a few sparse blocks.
func TestBeyond4GiBByOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("a sparse file of 9 GiB")
	}
	python := tool(t, "python3")
	_, file := bigMembers()
	path := filepath.Join(t.TempDir(), "big.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for offset, piece := range file.pieces {
		if _, err := f.WriteAt(piece, offset); err != nil {
			t.Skipf("no sparse files of 9 GiB here: %v", err)
		}
	}
	// Opening a member compares its local header with the directory.
	script := `
import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
for i in z.infolist():
    with z.open(i) as f: f.read(1)
    print(i.filename, i.file_size)`
	out, err := exec.CommandContext(t.Context(), python, "-c", script, path).CombinedOutput()
	want := fmt.Sprintf("artifact.csv %d\nREADME.txt 1\n", int64(5)<<30)
	if err != nil || !strings.HasSuffix(string(out), want) {
		t.Errorf("python: got %s, %v; want it to end with %s", out, err, want)
	}
}
