package evidence

import (
	"path/filepath"

	"licensekit/exporter/durable"
)

// createDurably makes a file that only its owner can read, whole or not at all,
// and its directory if that is missing. A file that is there is fs.ErrExist.
func createDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	if err := durable.MakeDir(dir); err != nil {
		return err
	}
	return durable.Create(path, dir, durable.Content(content))
}
