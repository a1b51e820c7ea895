package app

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Show or check the configuration", Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to do: leat config print, or leat config check")
		}}
	cmd.AddCommand(&cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration as YAML, each value with its origin, secrets masked",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, report, err := load(cmd)
			if err != nil {
				return err
			}
			return report.Print(cmd.OutOrStdout())
		},
	}, &cobra.Command{
		Use:   "check",
		Short: "Check the configuration and print every error in it",
		Args:  args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := load(cmd)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "The configuration is valid.")
			if cfg.Redis.Addr == "" || cfg.Store.URI == "" {
				fmt.Fprintln(cmd.OutOrStdout(), "redis.addr or store.uri is not set: only leat run --embedded will start with it.")
			}
			return nil
		},
	})
	return cmd
}
