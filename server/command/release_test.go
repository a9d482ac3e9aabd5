package command

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// releaseVar names a directory that .ci/release filled.
const releaseVar = "LICENSEKIT_RELEASE"

// platform is a release build and what runs it on linux/amd64.
type platform struct {
	file   string
	runner []string
	env    []string
}

func platforms(t *testing.T) map[string]platform {
	return map[string]platform{
		"linux-amd64":   {file: "licensekit-linux-amd64", runner: []string{"unshare", "-rn"}},
		"linux-arm64":   {file: "licensekit-linux-arm64", runner: []string{"qemu-aarch64"}},
		"windows-amd64": {file: "licensekit-windows-amd64.exe", runner: []string{"wine"}, env: winePrefix(t)},
	}
}

// TestRelease runs the release builds of three platforms on the same bundles:
// each says the same, word for word, and ends with the same code. Those for
// darwin and for Windows on arm64 are built and not run.
func TestRelease(t *testing.T) {
	release := os.Getenv(releaseVar)
	if release == "" {
		t.Skipf("%s does not name a directory that .ci/release made", releaseVar)
	}
	dir := reviewed(t, filepath.Join(release, "licensekit-linux-amd64"))
	for name, p := range platforms(t) {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				args []string
				want string
				code int
			}{
				{[]string{"--trust", "trust", "csv.zip"}, "VERIFIED", 0},
				{[]string{"--trust", "trust", "xlsx.zip"}, "VERIFIED", 0},
				{[]string{"--trust", "trust", "nowhere.zip"}, "", 1},
				{[]string{"csv.zip", "--trust", "trust"}, "VERIFIED", 0},
				{[]string{"csv.zip", "--trust"}, "", 2},
				{[]string{"--trust", "trust", "damaged.zip"}, "INVALID", 3},
				{[]string{"--key", "other.pem", "csv.zip"}, "INVALID", 3},
				{[]string{"csv.zip"}, "UNANCHORED", 4},
			} {
				args := append([]string{"verify", "--json"}, test.args...)
				want, _ := verdict(t, dir, platform{file: "licensekit-linux-amd64"}, release, args)
				got, code := verdict(t, dir, p, release, args)
				if code != test.code || !bytes.Equal(got, want) || !bytes.Contains(got, []byte(test.want)) {
					t.Errorf("%q: exit code %d, want %d with %s\ngot  %s\nwant %s", args, code, test.code, test.want, got, want)
				}
			}
		})
	}
}

// verdict runs a release build, and gives its stdout and exit code.
func verdict(t *testing.T, dir string, p platform, release string, args []string) ([]byte, int) {
	t.Helper()
	command := append(append(p.runner[:len(p.runner):len(p.runner)], filepath.Join(release, p.file)), args...)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), p.env...)
	out, err := cmd.Output()
	if cmd.ProcessState == nil {
		t.Fatalf("run %q: %v", command, err)
	}
	return bytes.ReplaceAll(out, []byte("\r\n"), []byte("\n")), cmd.ProcessState.ExitCode()
}

// reviewed is a directory with genuine bundles, a damaged one, what a reviewer
// trusts, and a key that is not the vendor's.
func reviewed(t *testing.T, licensekit string) string {
	t.Helper()
	dir := t.TempDir()
	script := `set -eu
printf 'id,occurred_at,action,amount\ne1,2025-12-31T23:30:00Z,usage.consumed,5\n' >usage.csv
"$1" import --as activities usage.csv
mkdir trust
"$1" key export -o trust/export.pem
"$1" key export --log -o trust/log.vkey
for format in csv xlsx; do
	"$1" export create --kind usage-ledger --format $format
	"$1" export bundle -o $format.zip "$("$1" export list --format $format | sed -n 's/^\(rptx_[a-z2-7]*\) .*/\1/p')"
done
"$1" verify --trust trust csv.zip xlsx.zip # from now on the checkpoint is known
"$1" import --data other --as activities usage.csv
"$1" key export --data other -o other.pem`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script, "sh", licensekit)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make bundles: %v: %s", err, out)
	}
	bundle, err := os.ReadFile(filepath.Join(dir, "csv.zip"))
	if err == nil {
		bundle[len(bundle)/2] ^= 1
		err = os.WriteFile(filepath.Join(dir, "damaged.zip"), bundle, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// winePrefix makes a Windows of its own. Programs of Go need Windows 10's
// bcryptprimitives.dll, which Wine before version 9 lacks: there the linker
// makes one that forwards to the generator that Wine has.
func winePrefix(t *testing.T) []string {
	t.Helper()
	if os.Getenv(releaseVar) == "" {
		return nil
	}
	prefix := filepath.Join(t.TempDir(), "wine")
	env := []string{"WINEPREFIX=" + prefix, "WINEDEBUG=-all", "WINEDLLOVERRIDES=mscoree,mshtml="}
	script := `set -eu
wineboot --init
system=$WINEPREFIX/drive_c/windows/system32
test ! -e "$system/bcryptprimitives.dll" || exit 0
cd "$WINEPREFIX"
printf 'LIBRARY bcryptprimitives.dll\nEXPORTS\n ProcessPrng = advapi32.SystemFunction036\n' >shim.def
x86_64-w64-mingw32-dlltool -d shim.def -e shim.o
x86_64-w64-mingw32-ld -shared -e 0 -o "$system/bcryptprimitives.dll" shim.o`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("prepare wine: %v: %s", err, out)
	}
	t.Cleanup(func() {
		wait := exec.Command("wineserver", "-w") // it lingers, and would write into the prefix
		wait.Env = cmd.Env
		if out, err := wait.CombinedOutput(); err != nil {
			t.Errorf("wait for wine's end: %v: %s", err, out)
		}
	})
	return env
}
