package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"licensekit/exporter/evidence"
	"licensekit/exporter/evidence/witness"
)

func (env *Env) verify() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "prove an export genuine, offline",
		ArgsUsage: "BUNDLE|ARTIFACT|DIR…",
		Description: "Takes bundles, artifacts with manifest.json and manifest.json.sig beside them, and\n" +
			"directories of bundles. Needs no server, no data directory and no network. Pin the\n" +
			"vendor's public key with --key: nothing in a bundle is ever trusted.\n\n" +
			"   licensekit verify --key export.pub.pem rptx_….lkbundle.zip\n" +
			"   licensekit verify --trust reviewed/ bundles/\n\n" +
			"A --trust directory holds *.pem (pinned export keys) and log.vkey (the log's key), and\n" +
			"keeps the newest checkpoint seen, so that a rewritten log is found out. Where that asks\n" +
			"for a proof, licensekit log consistency makes it; --consistency takes it. A log that was\n" +
			"begun anew has another key: put it beside log.vkey as another *.vkey file, once the\n" +
			"vendor has told you why, and verify its first entry, a file that ends in .restart (from\n" +
			"licensekit log prove --entry -o second.restart 0): that compares what it says of the\n" +
			"closed log with the checkpoint that you kept.\n\n" +
			"A policy asks for cosignatures of witnesses, so that a log that shows two histories\n" +
			"needs their help. It has lines like these; log lines pin the log's key too:\n\n" +
			"   log     licensekit/lki_…+9f93ddaa+AT1A…\n" +
			"   witness auditor example.org/auditor+0d6f2c3e+BH9w…\n" +
			"   group   both all auditor archive\n" +
			"   quorum  both\n\n" +
			"One file is shown step by step, several as a table.\n\n" +
			"Exit codes: 0 VERIFIED, 1 could not check, 2 usage, 3 INVALID or FORK,\n" +
			"4 UNANCHORED (no key is pinned). Of several files the worst counts: 3, then 1, then 4.",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "key", Usage: "a pinned public key, PEM `FILE`; repeat it for more", EnvVars: []string{"LICENSEKIT_KEY"}},
			&cli.StringFlag{Name: "trust", Usage: "the reviewer's `DIR`ectory of pinned keys and the last checkpoint", EnvVars: []string{"LICENSEKIT_TRUST"}},
			&cli.StringFlag{Name: "policy", Usage: "a `FILE` that says whose cosignatures the log's checkpoint must bear, C2SP tlog-policy (default: policy in the --trust directory, if it is there)", EnvVars: []string{"LICENSEKIT_POLICY"}},
			&cli.StringSliceFlag{Name: "consistency", Usage: "a proof `FILE` that the log continues the last checkpoint", EnvVars: []string{"LICENSEKIT_CONSISTENCY"}},
			jsonFlag,
		},
		Action: func(c *cli.Context) error {
			if !c.Args().Present() {
				return usage("verify what?").hinted("licensekit verify --key export.pub.pem BUNDLE|ARTIFACT|DIR…")
			}
			trust, err := gatherTrust(c)
			if err != nil {
				return err
			}
			paths, err := bundlesIn(c.Args().Slice())
			if err != nil {
				return err
			}
			return env.verifyAll(c, paths, trust)
		},
	}
}

// reviewer is what a verification trusts, and where it keeps what it learns.
type reviewer struct {
	keys        []evidence.PublicKey // of --key
	consistency [][]byte
	policy      *witness.Policy      // of --policy, without --trust
	store       *evidence.TrustStore // nil without --trust
}

// trust is what is known now: the store learns from each verification.
func (r *reviewer) trust() evidence.Trust {
	var trust evidence.Trust
	if r.store != nil {
		trust = r.store.Trust()
	}
	trust.Keys = append(slices.Clone(trust.Keys), r.keys...)
	trust.Consistency = r.consistency
	if r.policy != nil {
		trust.Policy = r.policy
	}
	return trust
}

func gatherTrust(c *cli.Context) (*reviewer, error) {
	const keyHint = "--key takes a file with a public key in PEM, as licensekit key export writes it"
	r := &reviewer{}
	for _, file := range c.StringSlice("key") {
		text, err := readSmall(file)
		if err != nil {
			return nil, failed(err, keyHint)
		}
		key, err := evidence.ParsePublicKey(evidence.ForExport, text)
		if err != nil {
			return nil, failed(fmt.Errorf("%s: %w", file, err), keyHint)
		}
		r.keys = append(r.keys, key)
	}
	for _, file := range c.StringSlice("consistency") {
		text, err := readSmall(file)
		if err != nil {
			return nil, failed(err, "licensekit log consistency -o FILE writes it")
		}
		r.consistency = append(r.consistency, text)
	}
	if dir := c.String("trust"); dir != "" {
		var err error
		if r.store, err = evidence.OpenTrust(dir); err != nil {
			return nil, failed(err, "--trust takes a directory with *.pem files and log.vkey, see licensekit verify --help")
		}
	}
	return r, r.takePolicy(c.String("policy"))
}

// takePolicy reads the file of --policy.
func (r *reviewer) takePolicy(file string) error {
	if file == "" {
		return nil
	}
	text, err := readSmall(file)
	switch {
	case err != nil:
	case r.store != nil:
		err = r.store.SetPolicy(text)
	default:
		r.policy, err = witness.ParsePolicy(text)
	}
	if err != nil {
		return failed(fmt.Errorf("%s: %w", file, err), "--policy takes lines like: witness NAME VERIFIER-KEY, and: quorum NAME; see licensekit verify --help")
	}
	return nil
}

// maxSmall bounds keys, manifests and signatures, in bytes.
const maxSmall = 1 << 20

func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(text) > maxSmall {
		err = fmt.Errorf("%s is too large: more than %d bytes", path, maxSmall)
	}
	return text, err
}

// bundleSuffix ends the name of a bundle.
const bundleSuffix = ".lkbundle.zip"

// bundlesIn replaces directories by the bundles in them.
func bundlesIn(paths []string) (all []string, err error) {
	for _, path := range paths {
		// What can't be read is told of with the others.
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			all = append(all, path)
			continue
		}
		found, err := filepath.Glob(filepath.Join(escapeGlob(path), "*"+bundleSuffix))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, failed(fmt.Errorf("%s holds no bundle", path), "bundles end in "+bundleSuffix+"; of an unpacked one name the artifact, such as "+filepath.Join(path, "artifact.csv"))
		}
		all = append(all, found...)
	}
	return all, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// verifyAll verifies files one by one, for the checkpoint that one leads to is
// what the next is compared with. What can't be checked ends it where it is the
// only file, and counts as exit code 1 where there are more.
func (env *Env) verifyAll(c *cli.Context, paths []string, r *reviewer) error {
	out := env.verdicts(c.Bool("json"), len(paths) > 1)
	worst := 0
	for _, path := range paths {
		result, err := r.verify(c.Context, path)
		if err != nil && (len(paths) == 1 || c.Context.Err() != nil) {
			return err
		}
		if err := out.add(path, result, err); err != nil {
			return err
		}
		worst = worseExit(worst, verdictExit(result))
	}
	if err := out.end(); err != nil {
		return err
	}
	if worst != 0 {
		return quietExit(worst)
	}
	return nil
}

// verify checks a file, and keeps what that has shown.
func (r *reviewer) verify(ctx context.Context, path string) (*evidence.Result, error) {
	result, err := verifyFile(ctx, path, r.trust())
	if err == nil && r.store != nil {
		err = r.store.Keep(result)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// verifyFile checks a bundle, or an artifact with what lies beside it.
func verifyFile(ctx context.Context, path string, trust evidence.Trust) (*evidence.Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	if strings.HasSuffix(path, restartSuffix) {
		return verifyRestart(ctx, path, trust)
	}
	input := evidence.Input{Bundle: io.NewSectionReader(f, 0, info.Size())}
	if !strings.HasSuffix(path, ".zip") {
		if input, err = besides(path, input.Bundle); err != nil {
			return nil, err
		}
	}
	result, err := evidence.Verify(ctx, input, trust)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return result, nil
}

// restartSuffix ends the name of what licensekit log prove --entry 0 prints of a
// log that follows another.
const restartSuffix = ".restart"

func verifyRestart(ctx context.Context, path string, trust evidence.Trust) (*evidence.Result, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	result, err := evidence.VerifyRestart(ctx, text, trust)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return result, nil
}

// besides gathers the manifest and the signature that lie beside an artifact:
// manifest.json, or <artifact>.manifest.json where one directory has several.
func besides(artifact string, content *io.SectionReader) (evidence.Input, error) {
	input := evidence.Input{Artifact: content}
	for _, base := range []string{artifact + "." + evidence.ManifestName, filepath.Join(filepath.Dir(artifact), evidence.ManifestName)} {
		manifest, err := readSmall(base)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return input, err
		}
		input.Manifest = manifest
		if input.Signature, err = readSmall(base + ".sig"); err != nil {
			return input, err
		}
		input.Proof, err = readSmall(base + ".tlog-proof")
		if errors.Is(err, fs.ErrNotExist) {
			err = nil // the steps that need it say so
		}
		return input, err
	}
	return input, failed(fmt.Errorf("%s: no %s lies beside it", artifact, evidence.ManifestName),
		"verify the bundle, or put manifest.json and manifest.json.sig from it beside the artifact")
}
