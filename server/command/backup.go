package command

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter"
)

func (env *Env) backup() *cli.Command {
	return &cli.Command{
		Name:      "backup",
		Usage:     "copy the data directory to another one, verified, also while a server runs",
		ArgsUsage: "DEST",
		Description: "Artifacts and log entries that DEST has already are not copied again; all that it\n" +
			"holds in the end is verified: every blob is hashed, every log entry and every value of\n" +
			"the database is read. A first backup that is interrupted is taken for a data directory\n" +
			"by nobody; a later one leaves what was there as good as it was. Artifacts, cosigned\n" +
			"checkpoints and witnesses' keys that are damaged in the original are named, and take the\n" +
			"place of nothing that DEST has.\n\n" +
			"   licensekit backup /mnt/backup/licensekit\n" +
			"   licensekit backup --data /var/lib/licensekit --json /mnt/backup/licensekit\n\n" +
			"Signing keys are in it, unless --keys keeps them elsewhere. An anchor is not.\n\n" +
			"The data directory is told of it, by its server or else by opening it, which finishes\n" +
			"exports that were cut short: licensekit events --type directory.backed_up, and the time\n" +
			"of the last backup among the metrics. DEST is not said there. That it can't be told is\n" +
			"a warning, no failure.\n\n" +
			"Exit codes: 0 done, 1 failed, or something in the original is damaged, 2 usage.",
		Flags: []cli.Flag{dataFlag, keysFlag, anchorFlag, jsonFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("backup takes the directory to copy to").hinted("licensekit backup /mnt/backup/licensekit")
			}
			return env.runBackup(c)
		},
	}
}

func (env *Env) runBackup(c *cli.Context) error {
	p := env.progress(c, "backing up", -1)
	b, err := exporter.MakeBackup(c.Context, exporter.Transfer{
		From: c.String("data"), To: c.Args().First(), Keys: c.String("keys"), Progress: p.add, Now: time.Now,
	})
	p.finish()
	if err != nil {
		return backupHint(err, c.Args().First())
	}
	env.recordBackup(c, b)
	if err := env.tellBackup(c, b); err != nil {
		return err
	}
	if len(b.Damaged) > 0 {
		return failed(fmt.Errorf("the original is damaged: %s", strings.Join(b.Damaged, "; ")), "the rest is in the backup; licensekit check says more")
	}
	return nil
}

func (env *Env) tellBackup(c *cli.Context, b *exporter.Backup) error {
	if c.Bool("json") {
		return env.printJSON(b)
	}
	if b.NoKeys {
		fmt.Fprintln(env.Stderr, "the signing keys are kept elsewhere, and are not in it")
	}
	_, err := fmt.Fprintf(env.Stdout, "%d activities, %d exports, %d log entries, %d blobs (%d bytes), %d of them new\n", b.Activities, b.Exports, b.Entries, b.Blobs, b.Bytes, b.Copied)
	return err
}

func backupHint(err error, path string) error {
	switch {
	case errors.Is(err, exporter.ErrNoBackup):
		return failed(err, "it was interrupted, or made by another tool; a plain copy is opened as it is, with --data")
	case errors.Is(err, exporter.ErrRestarted):
		return failed(err, "run it again; what it had copied stays")
	case errors.Is(err, exporter.ErrNotEmpty):
		return failed(err, "name a new or an empty directory with --data")
	case errors.Is(err, exporter.ErrInUse), errors.Is(err, exporter.ErrOtherInstance):
		return failed(err, "name a new directory, or one that licensekit backup of this instance has made")
	}
	return directoryHint(err, path)
}

func (env *Env) restoreBackup() *cli.Command {
	return &cli.Command{
		Name:      "restore",
		Usage:     "make a data directory of a backup",
		ArgsUsage: "SRC",
		Description: "The data directory must be new or empty. Everything is verified on its way.\n\n" +
			"   licensekit restore --data /var/lib/licensekit /mnt/backup/licensekit\n\n" +
			"If the original froze reports after the backup, its log can't go on from there without\n" +
			"contradicting what others may hold: run licensekit log restart before licensekit serve.\n" +
			"An --anchor that knows more refuses the directory until then.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 usage.",
		Flags: []cli.Flag{dataFlag, keysFlag, jsonFlag},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return usage("restore takes the directory of a backup").hinted("licensekit restore --data DIR /mnt/backup/licensekit")
			}
			return env.runRestore(c)
		},
	}
}

func (env *Env) runRestore(c *cli.Context) error {
	p := env.progress(c, "restoring", -1)
	b, err := exporter.Restore(c.Context, exporter.Transfer{
		From: c.Args().First(), To: c.String("data"), Keys: c.String("keys"), Progress: p.add, Now: time.Now,
	})
	p.finish()
	if err != nil {
		return backupHint(err, c.String("data"))
	}
	fmt.Fprintf(env.Stderr, "this is the state of %s, with %d log entries; if the original froze reports after that, run licensekit log restart before licensekit serve\n", b.Finished.Format(time.RFC3339), b.Entries)
	if len(b.Damaged) > 0 {
		fmt.Fprintf(env.Stderr, "warning: the original was damaged when the backup was made: %s\n", strings.Join(b.Damaged, "; "))
	}
	return env.tellBackup(c, b)
}
