package command

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/evidence"
)

func (env *Env) logWitness() *cli.Command {
	return &cli.Command{
		Name:      "witness",
		Usage:     "cosign a checkpoint of a log that only grew, as its witness",
		ArgsUsage: "FILE",
		Description: "For reviewers, offline: needs no server and no data directory. A witness keeps the newest\n" +
			"checkpoint that it saw of a log, and signs a newer one only if that continues it. The\n" +
			"--trust directory holds the log's pinned key and the checkpoint (see licensekit verify\n" +
			"--help), and the witness's own key. Make that once, and give what is printed to the\n" +
			"operator of the log and to everybody whose policy asks for you:\n\n" +
			"   licensekit log witness --trust reviewed/ --init example.org/auditor > auditor.vkey\n\n" +
			"FILE is what licensekit log consistency wrote, from the size of the kept checkpoint (the\n" +
			"first time from 0). The answer is for licensekit log cosigned:\n\n" +
			"   licensekit log witness --trust reviewed/ -o cosigned.txt consistency.txt\n\n" +
			"Signatures are those of C2SP tlog-cosignature, with Ed25519 and the time of this machine.\n\n" +
			"Exit codes: 0 done, 1 failed (another proof is wanted), 2 usage, 3 INVALID or FORK: do\n" +
			"not sign, and ask who has the log's key.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "trust", Usage: "the witness's `DIR`ectory of pinned keys and the last checkpoint", EnvVars: []string{"LICENSEKIT_WITNESS_TRUST"}},
			&cli.StringFlag{Name: "init", Usage: "make a key for a witness of this `NAME`, and print its verifier key", EnvVars: []string{"LICENSEKIT_INIT"}},
			logOutput,
		},
		Action: func(c *cli.Context) error {
			if c.String("trust") == "" {
				return usage("log witness takes --trust DIR").hinted("make a directory with the log's verifier key, log.vkey, in it")
			}
			if name := c.String("init"); name != "" {
				if err := noArguments(c); err != nil {
					return err
				}
				return env.initWitness(c, name)
			}
			file, err := oneArgument(c, "what licensekit log consistency wrote")
			if err != nil {
				return err
			}
			return env.cosign(c, file)
		},
	}
}

func (env *Env) initWitness(c *cli.Context, name string) error {
	cosigner, err := evidence.InitCosigner(c.String("trust"), name, time.Now())
	if errors.Is(err, fs.ErrExist) {
		return failed(err, "it has a witness's key already, of witness.pub")
	}
	if err != nil {
		return failed(err, "--init takes a name without spaces and +, such as example.org/auditor")
	}
	return env.writeOut(c.String("output"), bytes.NewBufferString(cosigner.Key.String()+"\n"))
}

func (env *Env) cosign(c *cli.Context, file string) error {
	dir := c.String("trust")
	store, err := evidence.OpenTrust(dir)
	if err != nil {
		return failed(err, "--trust takes a directory with log.vkey, see licensekit verify --help")
	}
	cosigner, err := evidence.OpenCosigner(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return failed(err, "licensekit log witness --init NAME makes a witness's key")
	}
	if err != nil {
		return err
	}
	request, err := readSmall(file)
	if err != nil {
		return err
	}
	result, signed, err := store.Cosign(c.Context, request, cosigner, time.Now())
	if err != nil {
		return err
	}
	if result.Verdict != evidence.Verified {
		if err := result.WriteText(env.Stderr); err != nil {
			return err
		}
		return quietExit(exitInvalid)
	}
	fmt.Fprintln(env.Stderr, result.Steps[len(result.Steps)-1].Detail)
	return env.writeOut(c.String("output"), bytes.NewReader(signed))
}
