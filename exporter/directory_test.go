package exporter

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"licensekit/exporter/evidence"
)

// openDirectory opens a directory and closes it again, for what it says.
func openDirectory(t *testing.T, path string, create bool) (instance string) {
	t.Helper()
	d, err := OpenDirectory(path, create, quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return d.Instance
}

func TestDirectoryIsMadeOnceAndReopened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "data")
	if _, err := OpenDirectory(path, false, quiet); !errors.Is(err, ErrNoDirectory) {
		t.Errorf("open what is not there: got %v, want ErrNoDirectory", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("stat after that: got %v, want that it made nothing", err)
	}
	made := openDirectory(t, path, true)
	if !strings.HasPrefix(made, "lki_") || len(made) != 30 {
		t.Errorf("instance: got %q, want lki_ and 26 characters", made)
	}
	for _, create := range []bool{false, true} {
		if got := openDirectory(t, path, create); got != made {
			t.Errorf("reopened with create %v: got instance %s, want %s", create, got, made)
		}
	}
}

func TestDirectoryIsItsOwnersAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	openDirectory(t, path, true)
	files := 0
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		} else {
			files++
		}
		if err == nil && info.Mode().Perm() != want {
			t.Errorf("mode of %s: got %v, want %v", name, info.Mode().Perm(), want)
		}
		return err
	})
	if err != nil || files != 4 {
		t.Errorf("walk: got %d files, %v; want %s, %s and its place, and %s", files, err, formatFile, databaseFile, lockFile)
	}
}

func TestDirectoryRefusals(t *testing.T) {
	t.Parallel()
	write := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	lose := func(name string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			openDirectory(t, path, true)
			if err := os.Remove(filepath.Join(path, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		is      error
		says    string
	}{
		"newer format":     {write(formatFile, `{"format_version":2,"instance":"lki_x","more":{}}`), ErrNewerFormat, "its format is 2, this program reads up to 1"},
		"foreign":          {write("holiday.jpg", "jpg"), ErrForeign, "it holds holiday.jpg"},
		"no format file":   {lose(formatFile), nil, "meta.db is there but licensekit.json is missing"},
		"no database":      {lose(databaseFile), nil, "blobs is there but meta.db is missing"},
		"format not JSON":  {write(formatFile, `{"format_ver`), nil, "read "},
		"format of others": {write(formatFile, `{"name":"licensekit"}`), nil, "format_version and instance are missing"},
		"no bbolt":         {func(t *testing.T, path string) { spoilDatabase(t, path) }, nil, "meta.db"},
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			c.prepare(t, path)
			before := listing(t, path)
			for range 2 {
				d, err := OpenDirectory(path, true, quiet)
				if err == nil {
					d.Close()
				}
				if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("open: got %v, want %v that says %q of %s", err, c.is, c.says, path)
				}
			}
			if after := listing(t, path); after != before {
				t.Errorf("files after being refused: got\n%s\nwant\n%s", after, before)
			}
		})
	}
}

func spoilDatabase(t *testing.T, path string) {
	openDirectory(t, path, true)
	if err := os.WriteFile(filepath.Join(path, databaseFile), bytes.Repeat([]byte("not bbolt"), 5000), 0o600); err != nil {
		t.Fatal(err)
	}
}

// listing is the names and sizes of all files below a directory.
func listing(t *testing.T, path string) string {
	t.Helper()
	var names strings.Builder
	err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil && !entry.IsDir() {
			fmt.Fprintln(&names, name, info.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names.String()
}

// A start may end anywhere, by a crash. Whatever it left opens, and is then as
// good as any other.
func TestDirectoryLeftByACrash(t *testing.T) {
	t.Parallel()
	donor := filepath.Join(t.TempDir(), "donor")
	instance := openDirectory(t, donor, true)
	take := func(name string) func(string) error {
		return func(path string) error {
			content, err := os.ReadFile(filepath.Join(donor, name))
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(path, name), content, 0o600)
		}
	}
	mkdir := func(name string) func(string) error {
		return func(path string) error { return os.Mkdir(filepath.Join(path, name), 0o700) }
	}
	half := func(name string) func(string) error {
		return func(path string) error {
			return os.WriteFile(filepath.Join(path, tmpDir, name), bytes.Repeat([]byte{0xed}, 5000), 0o600)
		}
	}
	steps := []struct {
		name string
		take func(path string) error
	}{
		{"nothing", func(string) error { return nil }},
		{"the directory", mkdir("")},
		{"keys", mkdir(keysDir)},
		{"tmp", mkdir(tmpDir)},
		{"half a format file", half(formatFile + ".1")},
		{"the format file", take(formatFile)},
		{"half a database", half(databaseFile + ".1")},
		{"the database", take(databaseFile)},
		{"blobs", mkdir(blobsDir)},
		{"a shard", func(path string) error { return os.MkdirAll(filepath.Join(path, blobsDir, "sha256", "00"), 0o700) }},
	}
	for n, last := range steps {
		t.Run("until "+last.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "data")
			for _, step := range steps[:n+1] {
				if err := step.take(path); err != nil {
					t.Fatal(err)
				}
			}
			_, unfinished := os.Stat(filepath.Join(path, formatFile))
			if d, err := OpenDirectory(path, false, quiet); unfinished == nil && err == nil {
				d.Close()
			} else if !errors.Is(err, ErrNoDirectory) {
				t.Errorf("open without making it: got %v, want ErrNoDirectory", err)
			}
			made := openDirectory(t, path, true)
			if unfinished == nil && made != instance {
				t.Errorf("instance: got %s, want that of the format file, %s", made, instance)
			}
			if left, err := os.ReadDir(filepath.Join(path, tmpDir)); err != nil || len(left) > 0 {
				t.Errorf("tmp: got %v, %v; want it empty", left, err)
			}
			h := openHouse(t, path, Options{Workers: 1})
			h.fill(10)
			h.freeze("usage-ledger", "json")
		})
	}
}

func TestDirectoryEmptiesTmp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	openDirectory(t, path, true)
	if err := os.MkdirAll(filepath.Join(path, tmpDir, "upload", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, tmpDir, "upload", "half"), nil, 0o400); err != nil {
		t.Fatal(err)
	}
	openDirectory(t, path, false)
	if left, err := os.ReadDir(filepath.Join(path, tmpDir)); err != nil || len(left) > 0 {
		t.Errorf("tmp: got %v, %v; want it empty", left, err)
	}
	if err := os.Remove(filepath.Join(path, tmpDir)); err != nil { // as some backups leave out empty directories
		t.Fatal(err)
	}
	openDirectory(t, path, false)
}

// Who keeps keys elsewhere lays them in before the first start.
func TestDirectoryTakesKeysLaidInBeforehand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	laid, err := evidence.LoadOrCreate(filepath.Join(path, keysDir), evidence.ForExport, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h := openHouse(t, path, Options{Workers: 1})
	if got, want := h.freeze("usage-summary", "json").KeyID, laid.Public.ID(); got != want {
		t.Errorf("signed by key %s, want %s", got, want)
	}
}

// holdVariable names a directory that the test binary opens and holds until
// its standard input ends.
const holdVariable = "LICENSEKIT_TEST_HOLD"

func hold(path string) int {
	d, err := OpenDirectory(path, true, quiet)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
	if err := d.Close(); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestDirectoryIsLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	other := exec.CommandContext(t.Context(), os.Args[0])
	other.Env = append(os.Environ(), holdVariable+"="+path)
	input, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil || line != "held\n" {
		t.Fatalf("the other process: got %q, %v; want held", line, err)
	}
	unfinished := filepath.Join(path, tmpDir, "unfinished")
	if err := os.WriteFile(unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenDirectory(path, true, quiet); !errors.Is(err, ErrLocked) {
		t.Errorf("open while another process holds it: got %v, want ErrLocked", err)
	}
	if _, err := os.Stat(unfinished); err != nil {
		t.Errorf("the other's unfinished file: got %v, want it untouched", err)
	}
	input.Close()
	if err := other.Wait(); err != nil {
		t.Errorf("the other process: %v", err)
	}
	openDirectory(t, path, false)
}

// Several processes may make the same directory at once: one gets it, and the
// others find it locked.
func TestDirectoryMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data")
	const many = 8
	var (
		opened [many]*Directory
		errs   [many]error
		all    sync.WaitGroup
	)
	for i := range many {
		all.Go(func() { opened[i], errs[i] = OpenDirectory(path, true, quiet) })
	}
	all.Wait()
	var winners []string
	for i, d := range opened {
		if d != nil {
			winners = append(winners, d.Instance)
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		} else if !errors.Is(errs[i], ErrLocked) {
			t.Errorf("open %d: got %v, want ErrLocked", i, errs[i])
		}
	}
	if len(winners) != 1 {
		t.Fatalf("got %d that hold the directory at once, want 1", len(winners))
	}
	if got := openDirectory(t, path, false); got != winners[0] {
		t.Errorf("instance afterwards: got %s, want %s", got, winners[0])
	}
}

// A name of which a bit has flipped is another name.
func TestFormatFileWithAnotherName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`{"format_version":1,"instance":"lki_1"}`: true,
		`{"format_vErsion":1,"instance":"lki_1"}`: false,
		`{"format_version":1,"Instance":"lki_1"}`: false,
	} {
		d := &Directory{Path: t.TempDir()}
		if err := os.WriteFile(filepath.Join(d.Path, formatFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := d.readFormat(); (err == nil) != want {
			t.Errorf("%s: got %v, want it read: %t", text, err, want)
		}
	}
}
