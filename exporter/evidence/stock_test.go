package evidence

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tool finds a program of the reviewer's machine.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed", name)
	} else if err != nil {
		t.Skipf("install %s to run this test", name)
	}
	return path
}

// unpacked is a directory with a bundle's files, made by unzip, and KEY.pem.
func unpacked(t *testing.T, data []byte, key PublicKey) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(t.TempDir(), "bundle.zip")
	for name, content := range map[string][]byte{path: data, filepath.Join(dir, "KEY.pem"): key.PEM()} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), tool(t, "unzip"), "-d", dir, path).CombinedOutput(); err != nil {
		t.Fatalf("unzip: got %s, %v; want it unpacked", out, err)
	}
	return dir
}

// external are the programs of README.txt that no system has by itself; see
// TestExternalCosign and TestExternalSpicy.
var external = []string{"cosign", "spicy", "tail"}

// readmeCommands are the indented lines of README.txt that run a program of
// any system, and ours.
func readmeCommands(t *testing.T, dir string) (commands []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, ReadmeName))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    ")
		program, _, _ := strings.Cut(command, " ")
		if ok && !slices.Contains(external, program) {
			commands = append(commands, strings.TrimSpace(command))
		}
	}
	return commands
}

// run gives what a command prints, by the shell that a reviewer has.
func run(t *testing.T, dir, command string) (string, error) {
	t.Helper()
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Dir = dir
	out, err := shell.CombinedOutput()
	return string(out), err
}

func TestReadmeCommands(t *testing.T) {
	tool(t, "openssl")
	tool(t, "sha256sum")
	key := testKey(t, ForExport, "a")
	for _, format := range []string{"json", "csv"} {
		f := freeze(t, key, "rptx_1", format, 3)
		dir := unpacked(t, f.bundle(t), key.Public)
		wants := []string{
			"",
			key.Public.ID() + "  -\n",
			"", "", "Signature Verified Successfully\n",
			"1\n", "1\n",
			"manifest.json: OK\nmanifest.json.sig: OK\nmanifest.sigstore.json: OK\nmanifest.json.tlog-proof: OK\ndata.json: OK\nartifact." + format + ": OK\nREADME.txt: OK\n",
		}
		commands := readmeCommands(t, dir)
		if len(commands) != len(wants) || commands[0] != "licensekit verify --key KEY.pem rptx_1.lkbundle.zip" {
			t.Fatalf("got commands %q, want %d of which the first is ours", commands, len(wants))
		}
		for i, command := range commands[1:] {
			if got, err := run(t, dir, command); err != nil || got != wants[i+1] {
				t.Errorf("%s: %s: got %q, %v; want %q", format, command, got, err, wants[i+1])
			}
		}
	}
}

// The stock tools say no where they should.
func TestReadmeCommandsRefuse(t *testing.T) {
	tool(t, "openssl")
	tool(t, "sha256sum")
	key := testKey(t, ForExport, "a")
	data := freeze(t, key, "rptx_1", "csv", 3).bundle(t)
	for name, test := range map[string]struct {
		file string
		key  PublicKey
		fail []int // of the commands
	}{
		"artifact":    {"artifact.csv", key.Public, []int{5, 7}},
		"data":        {DataName, key.Public, []int{6, 7}},
		"manifest":    {ManifestName, key.Public, []int{4, 7}},
		"signature":   {SignatureName, key.Public, []int{4, 7}},
		"another key": {"", testKey(t, ForExport, "b").Public, []int{4}},
	} {
		dir := unpacked(t, data, test.key)
		if test.file != "" {
			alter(t, filepath.Join(dir, test.file))
		}
		commands := readmeCommands(t, dir)
		for i, command := range commands[2:] {
			out, err := run(t, dir, command)
			if want := slices.Contains(test.fail, i+2); (err != nil) != want {
				t.Errorf("%s: %s: got %q, %v; want failure %t", name, command, out, err, want)
			}
		}
	}
}

// alter changes a byte in the middle of a file, a letter to a letter.
func alter(t *testing.T, path string) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	content[len(content)/2] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestStockArchivers(t *testing.T) {
	data := freeze(t, testKey(t, ForExport, "a"), "rptx_1", "csv", 3).bundle(t)
	path := filepath.Join(t.TempDir(), "bundle.zip")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"unzip", "-t", path}, {"python3", "-m", "zipfile", "-t", path}} {
		if out, err := exec.CommandContext(t.Context(), tool(t, command[0]), command[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: got %s, %v; want success", command, out, err)
		}
	}
}

// openssl reads our key files, and we read its.
func TestOpensslKeys(t *testing.T) {
	tool(t, "openssl")
	dir := t.TempDir()
	key, err := LoadOrCreate(dir, ForExport, born)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := run(t, dir, "openssl pkey -in export.key -pubout"); err != nil || got != string(key.Public.PEM()) {
		t.Errorf("public half: got %s, %v; want %s", got, err, key.Public.PEM())
	}
	if got, err := run(t, dir, "rm export.key && umask 077 && openssl genpkey -algorithm ed25519 -out export.key"); err != nil {
		t.Fatalf("genpkey: got %s, %v; want a key", got, err)
	}
	theirs, err := Load(dir, ForExport)
	if err != nil {
		t.Fatalf("load: got %v, want a key", err)
	}
	got, err := run(t, dir, "openssl pkey -in export.key -pubout")
	pinned, parseErr := ParsePublicKey(ForExport, []byte(got))
	if err != nil || parseErr != nil || pinned.ID() != theirs.Public.ID() {
		t.Errorf("their public half: got %s, %v, %v; want key %s", got, err, parseErr, theirs.Public.ID())
	}
}
