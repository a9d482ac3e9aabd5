package command

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// printJSON prints a value on a line of its own.
func (env *Env) printJSON(v any) error { return writeJSON(env.Stdout, v) }

func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// printLines prints a list as NDJSON.
func printLines[T any](env *Env, values []T) error {
	for _, v := range values {
		if err := env.printJSON(v); err != nil {
			return err
		}
	}
	return nil
}

func shortTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04Z")
}

// pathSegment makes an id safe to stand in a path.
func pathSegment(id string) string { return url.PathEscape(id) }

// quoteArg writes an argument so that a shell takes it as it is.
func quoteArg(arg string) string {
	if arg != "" && !strings.ContainsFunc(arg, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./=:,@+", r)
	}) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// thereAlready is the name of a file that is not to be replaced.
type thereAlready string

func (path thereAlready) Error() string { return string(path) + " is there already" }

// Unwrap makes it the error that it is.
func (path thereAlready) Unwrap() error { return fs.ErrExist }

// saveFile streams into a file that appears once it is whole, open to whom the
// process's umask lets. A file that is there is not replaced.
func saveFile(path string, source io.Reader) (int64, error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, failed(thereAlready(path), "name another file with -o, or remove this one")
	}
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".licensekit-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		if of, ok := errors.AsType[*fs.PathError](err); ok { // the temporary file's name is nobody's concern
			err = of.Err
		}
		err = fmt.Errorf("write %s: %w", path, err)
		if errors.Is(err, fs.ErrNotExist) {
			return 0, failed(err, "make the directory first: mkdir "+quoteArg(filepath.Dir(path)))
		}
		return 0, err
	}
	defer os.Remove(f.Name()) // gone already where all went well
	n, err := io.Copy(f, source)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return n, fmt.Errorf("write %s: %w", path, err)
	}
	return n, os.Rename(f.Name(), path)
}
