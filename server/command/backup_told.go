package command

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
	"licensekit/server/client"
)

const backupsPath = "/api/v1/system/backups"

// tellLimit is how long a server may take to note a backup.
const tellLimit = 30 * time.Second

// errForeignDirectory says that nothing serves the data directory of another
// user: who opens it leaves files in it that the other can't read.
var errForeignDirectory = errors.New("it is another user's, and no server has it open")

// recordBackup lets the data directory know of a backup. That it can't is a
// warning: the backup is made.
func (env *Env) recordBackup(c *cli.Context, b *exporter.Backup) {
	if err := env.tryRecordBackup(c, b); err != nil {
		fmt.Fprintf(env.Stderr, "warning: the backup is made; metrics and audit trail of %s do not know of it: %v\n", c.String("data"), err)
	}
}

func (env *Env) tryRecordBackup(c *cli.Context, b *exporter.Backup) error {
	data := c.String("data")
	if api := dialOwner(c.Context, data); api != nil {
		defer api.Close()
		return sendBackup(c.Context, api, b)
	}
	if own, err := isOwn(data); err != nil || !own {
		return errors.Join(errForeignDirectory, err)
	}
	return env.with(c, false, func(api *client.Client) error { return sendBackup(c.Context, api, b) })
}

func sendBackup(ctx context.Context, api *client.Client, b *exporter.Backup) error {
	ctx, cancel := context.WithTimeout(ctx, tellLimit)
	defer cancel()
	_, err := api.Call(ctx, http.MethodPost, backupsPath, nil, backupBody{
		Instance: b.Instance, Transaction: b.Transaction, Activities: b.Activities, Exports: b.Exports, Entries: b.Entries,
		Blobs: b.Blobs, Bytes: b.Bytes, Copied: b.Copied, Damaged: len(b.Damaged), NoKeys: b.NoKeys,
	}, nil)
	return err
}

// backupBody is what the API is told of a backup.
type backupBody struct {
	Instance    string `json:"instance"`
	Transaction int64  `json:"transaction"`
	Activities  int64  `json:"activities"`
	Exports     int64  `json:"exports"`
	Entries     int64  `json:"log_entries"`
	Blobs       int64  `json:"blobs"`
	Bytes       int64  `json:"blob_bytes"`
	Copied      int64  `json:"copied"`
	Damaged     int    `json:"damaged"`
	NoKeys      bool   `json:"no_keys"`
}
