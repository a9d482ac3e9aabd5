package evidence

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tools whose formats these are. Building cosign takes ten minutes and a
// network, so they run where LICENSEKIT_EXTERNAL=1 asks for them (and go test
// has a -timeout for it). GOBIN may name a directory that has them already.
var externalTools = map[string]string{
	"cosign": "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3",
	"spicy":  "filippo.io/torchwood/cmd/spicy@v0.9.0",
	"fsck":   "github.com/transparency-dev/tessera/cmd/fsck@v1.0.2",
}

// externalTool finds or builds a program, and gives the path to it.
func externalTool(t *testing.T, name string) string {
	t.Helper()
	if os.Getenv("LICENSEKIT_EXTERNAL") != "1" {
		t.Skip("set LICENSEKIT_EXTERNAL=1 to build and run cosign, spicy and fsck")
	}
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

// externalCommands are the lines of README.txt for these tools.
func externalCommands(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ReadmeName))
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    ")
		for _, program := range external {
			if ok && strings.HasPrefix(command, program+" ") {
				commands = append(commands, strings.TrimSpace(command))
			}
		}
	}
	if len(commands) != 3 {
		t.Fatalf("got commands %q, want those of cosign, tail and spicy", commands)
	}
	return strings.Join(commands, " && ")
}

func TestExternalTools(t *testing.T) {
	path := filepath.Dir(externalTool(t, "cosign")) + ":" + filepath.Dir(externalTool(t, "spicy"))
	key := testKey(t, ForExport, "a")
	f := sevenExports(t, key).all[4]
	for name, test := range map[string]struct {
		file string
		key  *SigningKey
		log  *SigningKey
		fail bool
	}{
		"sound":             {"", key, testLogKey(t), false},
		"altered artifact":  {"artifact.csv", key, testLogKey(t), true},
		"altered manifest":  {ManifestName, key, testLogKey(t), true},
		"altered bundle":    {SigstoreName, key, testLogKey(t), true},
		"altered proof":     {ProofName, key, testLogKey(t), true},
		"another key":       {"", testKey(t, ForExport, "b"), testLogKey(t), true},
		"another log's key": {"", key, testKey(t, ForLog, "b"), true},
	} {
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
		out, err := run(t, dir, "export PATH="+path+":$PATH && "+externalCommands(t, dir))
		if (err != nil) != test.fail || !test.fail && !(strings.Contains(out, "Verified OK") && strings.Contains(out, "signature(s) verified")) {
			t.Errorf("%s: got %s, %v; want failure %t", name, out, err, test.fail)
		}
	}
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
