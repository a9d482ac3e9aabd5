package evidence

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The tools whose formats these are. They run where LICENSEKIT_EXTERNAL is set,
// and are built into GOBIN unless they are there: the first time cosign, with
// clients for every cloud, takes ten minutes, for which go test has a -timeout;
// later Go's cache has it.
var externalTools = map[string]string{
	"cosign": "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
	"spicy":  "filippo.io/torchwood/cmd/spicy@v0.9.0",
	"fsck":   "github.com/transparency-dev/tessera/cmd/fsck@v1.0.2",
}

// needExternal skips what is not asked for.
func needExternal(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("LICENSEKIT_EXTERNAL") == "" {
		t.Skipf("%s runs where LICENSEKIT_EXTERNAL is set", name)
	}
}

// externalTool finds or builds a program, and gives the path to it.
func externalTool(t *testing.T, name string) string {
	t.Helper()
	needExternal(t, name)
	bin := os.Getenv("GOBIN")
	if bin == "" {
		bin = t.TempDir()
	}
	path := filepath.Join(bin, name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	build := exec.CommandContext(t.Context(), "go", "install", externalTools[name])
	build.Env = append(os.Environ(), "GOBIN="+bin, "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: got %s, %v; want it built", name, out, err)
	}
	return path
}

// externalCommands are the lines of README.txt that run one of these programs.
func externalCommands(t *testing.T, dir string, programs ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ReadmeName))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    ")
		program, _, _ := strings.Cut(command, " ")
		if ok && slices.Contains(programs, program) {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	if len(commands) != len(programs) {
		t.Fatalf("got commands %q, want those of %q", commands, programs)
	}
	return strings.Join(commands, " && ")
}

// alteration is a bundle with one file altered, or checked by another key.
type alteration struct {
	file     string // "" for none
	key, log *SigningKey
	fail     bool
}

// runExternal runs README.txt's commands of programs on altered bundles. A
// check that passes says so.
func runExternal(t *testing.T, path, says string, tests map[string]alteration, programs ...string) {
	f := sevenExports(t, testKey(t, ForExport, "a")).all[4]
	for name, test := range tests {
		dir := unpacked(t, f.bundle(t), test.key.Public)
		logKey, err := NewLogKey(testOrigin, test.log.Public)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "LOG.vkey"), []byte(logKey.String()+"\n"), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if test.file != "" {
			alter(t, filepath.Join(dir, test.file))
		}
		out, err := run(t, dir, "export PATH="+filepath.Dir(path)+":$PATH && "+externalCommands(t, dir, programs...))
		if (err != nil) != test.fail || !test.fail && !strings.Contains(out, says) {
			t.Errorf("%s: got %s, %v; want failure %t", name, out, err, test.fail)
		}
	}
}

func TestExternalCosign(t *testing.T) {
	path := externalTool(t, "cosign")
	key, log := testKey(t, ForExport, "a"), testLogKey(t)
	runExternal(t, path, "Verified OK", map[string]alteration{
		"sound":            {"", key, log, false},
		"altered artifact": {"artifact.csv", key, log, true},
		"altered bundle":   {SigstoreName, key, log, true},
		"another key":      {"", testKey(t, ForExport, "b"), log, true},
	}, "cosign")
}

// The library that does cosign's checking tells more of what it found.
func TestExternalSigstore(t *testing.T) {
	needExternal(t, "sigstore-go")
	path := filepath.Join(t.TempDir(), "sigstore")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "testdata/sigstore", "-o", path, ".")
	build.Env = append(os.Environ(), "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: got %s, %v; want it built", out, err)
	}
	f := sevenExports(t, testKey(t, ForExport, "a")).all[4]
	for name, test := range map[string]struct {
		file, kind string
		key        PublicKey
		fail       bool
	}{
		"sound":            {"", PredicateType, testKey(t, ForExport, "a").Public, false},
		"altered artifact": {"artifact.csv", PredicateType, testKey(t, ForExport, "a").Public, true},
		"altered bundle":   {SigstoreName, PredicateType, testKey(t, ForExport, "a").Public, true},
		"another key":      {"", PredicateType, testKey(t, ForExport, "b").Public, true},
		"another type":     {"", RotationType, testKey(t, ForExport, "a").Public, true},
	} {
		dir := unpacked(t, f.bundle(t), test.key)
		if test.file != "" {
			alter(t, filepath.Join(dir, test.file))
		}
		check := exec.CommandContext(t.Context(), path, "KEY.pem", SigstoreName, test.kind, "artifact.csv")
		check.Dir = dir
		out, err := check.CombinedOutput()
		if (err != nil) != test.fail || !test.fail && !strings.Contains(string(out), "Verified OK") {
			t.Errorf("%s: got %s, %v; want failure %t", name, out, err, test.fail)
		}
	}
}

func TestExternalSpicy(t *testing.T) {
	path := externalTool(t, "spicy")
	key, log := testKey(t, ForExport, "a"), testLogKey(t)
	runExternal(t, path, "signature(s) verified", map[string]alteration{
		"sound":             {"", key, log, false},
		"altered manifest":  {ManifestName, key, log, true},
		"altered proof":     {ProofName, key, log, true},
		"another log's key": {"", key, testKey(t, ForLog, "b"), true},
	}, "tail", "spicy")
}

func TestExternalFsck(t *testing.T) {
	fsck := externalTool(t, "fsck")
	dir := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(dir, testLogKey(t), testOrigin)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 300 {
		if _, err := l.Append(t.Context(), func(index int64) ([]byte, error) { return []byte{byte(index)}, nil }); err != nil {
			t.Fatal(err)
		}
	}
	logKey, err := NewLogKey(testOrigin, testLogKey(t).Public)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "LOG.vkey")
	if err := os.WriteFile(path, []byte(logKey.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]string{"sound": "", "damaged bundle": "tile/entries/000", "damaged hashes": "tile/0/001.p/44"} {
		file := filepath.Join(dir, filepath.FromSlash(damage))
		if damage != "" {
			if err := os.Chmod(file, 0o600); err != nil {
				t.Fatal(err)
			}
			alter(t, file)
		}
		check := exec.CommandContext(t.Context(), fsck, "-storage_url", "file://"+dir+"/", "-public_key", path, "-ui=false")
		out, err := check.CombinedOutput() // it exits 0 also where it says no
		said := strings.Contains(string(out), "fsck failed")
		if err != nil || !strings.Contains(string(out), "log of size 300") || said != (damage != "") {
			t.Errorf("%s: got %s, %v; want failure %t", name, out, err, damage != "")
		}
		if damage != "" {
			alter(t, file) // back as it was
		}
	}
}
